// SPDX-License-Identifier: BSD-3-Clause
// How far a rank has moved from the last average.
#pragma once

#include <algorithm>
#include <span>

#include "algorithms/state.hpp"
#include "core/aligned.hpp"

namespace lockstep::algorithms {

/// ||a - b|| / (||a|| + ||b||), in [0, 1]; 0 when both are zero.
[[nodiscard]] double relative_distance(std::span<const float> a, std::span<const float> b);

/// Keeps the last average m and measures drift ||m - t|| / (||m|| + ||t||) of a rank's parameters t.
class Drift {
 public:
  /// `parameters` is the model that all ranks start from: the first average.
  void start(std::span<const float> parameters) { centre_.assign(parameters.begin(), parameters.end()); }
  void recentre(std::span<const float> average) { std::ranges::copy(average, centre_.begin()); }
  [[nodiscard]] double measure(std::span<const float> parameters) const {
    return relative_distance(centre_, parameters);
  }
  /// The average is the same on all ranks.
  void describe_state(State& state) { state.add("last_average", centre_, Distribution{}); }

 private:
  AlignedVector<float> centre_;
};

}  // namespace lockstep::algorithms
