// SPDX-License-Identifier: BSD-3-Clause
// A mean over an epoch, for observations.
#pragma once

#include <cstddef>
#include <limits>
#include <string>

#include "algorithms/state.hpp"

namespace lockstep::algorithms {

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
  void describe_state(State& state, const std::string& name) {
    state.add(name + "_sum", &sum_);
    state.add(name + "_count", &count_);
  }

 private:
  double sum_ = 0.0;
  std::size_t count_ = 0;
};

}  // namespace lockstep::algorithms
