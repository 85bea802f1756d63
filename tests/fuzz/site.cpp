// SPDX-License-Identifier: BSD-3-Clause
// A site's file.
#include "sweep/site.hpp"

#include "core/json.hpp"
#include "core/json_text.hpp"
#include "support/fuzz.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace lockstep;
  fuzz::expect_errors_only([&] {
    const sweep::Site site = sweep::site_of(parse_json(fuzz::text_of(data, size)), "fuzz.json");
    fuzz::require(site.environment.is_object(), "a site's environment is an object");
  });
  return 0;
}
