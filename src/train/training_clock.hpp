// SPDX-License-Identifier: BSD-3-Clause
// The times of a training that may be interrupted: an epoch's phases, and the wall clock.
#pragma once

#include "algorithms/state.hpp"
#include "core/clock.hpp"

namespace lockstep::train {

/// Keeps a PhaseTimer's account over the interruptions of an epoch, and the wall time since the first step.
class TrainingClock {
 public:
  /// `phases` outlives it.
  explicit TrainingClock(PhaseTimer& phases) : phases_(phases) {}

  /// The first step comes, or the next one of a training that goes on.
  void start();
  /// An epoch begins; what came before it took `checkpoint_s` to write.
  void begin_epoch(double checkpoint_s);
  /// A checkpoint comes, in an epoch or between two.
  void pause(bool in_epoch);
  /// An epoch ends: its phases.
  [[nodiscard]] const PhaseSeconds& end_epoch() { return phases_.stop(); }

  /// Since the first step.
  [[nodiscard]] double wall_clock_s() const { return now_s() - first_step_s_; }
  /// Of the epoch that was paused.
  [[nodiscard]] const PhaseSeconds& so_far() const { return so_far_; }
  [[nodiscard]] PhaseTimer& phases() const { return phases_; }
  void describe_state(algorithms::State& state);

 private:
  PhaseTimer& phases_;
  PhaseSeconds so_far_{};      // of the epoch that goes on
  double wall_clock_s_ = 0.0;  // at the last pause
  double first_step_s_ = 0.0;  // when; earlier by what the wall clock had counted before this process
};

}  // namespace lockstep::train
