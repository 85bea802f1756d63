// SPDX-License-Identifier: BSD-3-Clause
// A sweep's file, and its runs.
#include "support/fuzz.hpp"
#include "sweep/spec/spec.hpp"

namespace {

using namespace lockstep;

// A file of a few bytes may describe 100,000 runs, which take seconds.
bool is_quickly_expanded(const sweep::Spec& spec) {
  constexpr double most = 64;
  const auto places = [](const std::vector<sweep::Axis>& axes) {
    double count = 1;
    for (const sweep::Axis& axis : axes) count *= static_cast<double>(axis.values.size());
    return count;
  };
  double runs = places(spec.axes);
  for (const auto& axes : spec.include) runs += places(axes);
  return runs * static_cast<double>(spec.seeds.size()) <= most;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  fuzz::expect_errors_only([&] {
    const sweep::Spec spec = sweep::parse_spec(fuzz::text_of(data, size), "fuzz.json", "full");
    if (is_quickly_expanded(spec)) (void)sweep::expand(spec);
  });
  return 0;
}
