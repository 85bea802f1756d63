// SPDX-License-Identifier: BSD-3-Clause
// The distance between two models.
#include "algorithms/averaging/drift.hpp"

#include <cmath>

#include "core/work.hpp"

namespace lockstep::algorithms {

double relative_distance(std::span<const float> a, std::span<const float> b) {
  const Working working([&] { return array_work("drift", a.size(), 2); });
  if (!working) return 0.0;
  // Eight partial sums: vector code, and less rounding than one long sum.
  constexpr std::size_t lanes = 8;
  double distance[lanes] = {};
  double norm_a[lanes] = {};
  double norm_b[lanes] = {};
  const auto add = [&](std::size_t i, std::size_t lane) {
    const double x = a[i];
    const double y = b[i];
    distance[lane] += (x - y) * (x - y);
    norm_a[lane] += x * x;
    norm_b[lane] += y * y;
  };
  std::size_t i = 0;
  for (; i + lanes <= a.size(); i += lanes)
    for (std::size_t lane = 0; lane < lanes; ++lane) add(i + lane, lane);
  for (; i < a.size(); ++i) add(i, 0);
  for (std::size_t lane = 1; lane < lanes; ++lane) {
    distance[0] += distance[lane];
    norm_a[0] += norm_a[lane];
    norm_b[0] += norm_b[lane];
  }
  const double norms = std::sqrt(norm_a[0]) + std::sqrt(norm_b[0]);
  return norms == 0.0 ? 0.0 : std::sqrt(distance[0]) / norms;
}

}  // namespace lockstep::algorithms
