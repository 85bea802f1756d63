// SPDX-License-Identifier: BSD-3-Clause
// How far a rank has moved from the last average.
#pragma once

#include <algorithm>
#include <limits>

#include "algorithms/averaging.hpp"

namespace lockstep::algorithms {

/// Keeps the last average m and measures drift ||m - t|| / (||m|| + ||t||) of a rank's parameters t.
class Drift {
 public:
  /// `parameters` is the model that all ranks start from: the first average.
  void start(std::span<const float> parameters) { centre_.assign(parameters.begin(), parameters.end()); }
  void recentre(std::span<const float> average) { std::ranges::copy(average, centre_.begin()); }
  [[nodiscard]] double measure(std::span<const float> parameters) const {
    return relative_distance(centre_, parameters);
  }

 private:
  AlignedVector<float> centre_;
};

/// The mean of what was added since the last reset, NaN when nothing was.
class EpochMean {
 public:
  void reset() { *this = {}; }
  void add(double value) {
    sum_ += value;
    ++count_;
  }
  [[nodiscard]] double value() const {
    return count_ == 0 ? std::numeric_limits<double>::quiet_NaN() : sum_ / static_cast<double>(count_);
  }

 private:
  double sum_ = 0.0;
  std::size_t count_ = 0;
};

}  // namespace lockstep::algorithms
