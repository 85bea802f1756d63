// SPDX-License-Identifier: BSD-3-Clause
// A table of kernels' times.
#include "simulate/kernel_table.hpp"

#include <cmath>

#include "core/json_text.hpp"
#include "support/fuzz.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace lockstep;
  fuzz::expect_errors_only([&] {
    const simulate::KernelTable table(parse_json(fuzz::text_of(data, size)));
    for (const std::size_t count : {std::size_t{1}, std::size_t{1000}, std::size_t{1} << 40}) {
      const double seconds = table.seconds_of(array_work("add", count, 3));
      fuzz::require(std::isfinite(seconds) && seconds >= 0, "a time is finite");
    }
  });
  return 0;
}
