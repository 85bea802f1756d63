// SPDX-License-Identifier: BSD-3-Clause
// When parameters are averaged: every so many epochs, every so many steps, or once at the end.
#pragma once

#include "algorithms/state.hpp"
#include "core/fields.hpp"

namespace lockstep::algorithms {

/// Options and counting; the old interface's -avg_freq is avg_freq.
struct AveragingSchedule {
  std::size_t avg_freq = 1;
  std::size_t avg_steps = 0;

  void describe(Fields& fields) {
    fields.add("avg_freq", &avg_freq, "average every k epochs; 0 = only once, at the end of training");
    fields.add("avg_steps", &avg_steps, "average every H steps instead; 0 = by avg_freq");
  }
  /// Counts a step; true when an average is due after it.
  [[nodiscard]] bool due_after_step() {
    if (avg_steps == 0 || ++steps_ < avg_steps) return false;
    steps_ = 0;
    return true;
  }
  [[nodiscard]] bool due_after_epoch(std::size_t epoch) const {
    return avg_steps == 0 && avg_freq != 0 && (epoch + 1) % avg_freq == 0;
  }
  void describe_state(State& state) { state.add("steps_since_average", &steps_); }

 private:
  std::size_t steps_ = 0;
};

}  // namespace lockstep::algorithms
