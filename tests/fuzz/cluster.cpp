// SPDX-License-Identifier: BSD-3-Clause
// A cluster's file.
#include "simulate/cluster.hpp"

#include <cmath>

#include "core/json.hpp"
#include "core/json_text.hpp"
#include "support/fuzz.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace lockstep;
  fuzz::expect_errors_only([&] {
    const simulate::Cluster cluster = simulate::cluster_from(parse_json(fuzz::text_of(data, size)));
    const Json values = cluster.values();
    // As a run that resumes on the same cluster compares them.
    fuzz::require(simulate::cluster_from(values).values() == values, "a cluster reads what it writes");
    fuzz::require(std::isfinite(1 / cluster.beta_s_per_byte), "a bandwidth is finite");
    for (const std::uint32_t number : {0U, 1U, 4'000'000'000U})
      fuzz::require(std::isfinite(cluster.trouble.delay_s(0, 1, 3, number, 0.5)), "a delay is finite");
  });
  return 0;
}
