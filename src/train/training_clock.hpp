// SPDX-License-Identifier: BSD-3-Clause
// The times of a training that may be interrupted: an epoch's phases, and the wall clock.
#pragma once

#include <cstddef>
#include <string>

#include "algorithms/state.hpp"
#include "core/clock.hpp"
#include "core/timeline.hpp"

namespace lockstep::train {

/// The seconds that count as training.
[[nodiscard]] inline double training_seconds(const PhaseSeconds& phases) {
  double total = 0.0;
  for (std::size_t phase = 0; phase < phase_count; ++phase)
    if (on_training_clock(static_cast<Phase>(phase))) total += phases[phase];
  return total;
}

/// Adds up an epoch's phases over its interruptions, and the wall time since the first step.
class TrainingClock {
 public:
  /// `phases` outlives it.
  explicit TrainingClock(PhaseTimer& phases) : phases_(phases) {}

  /// Right before the first step, or the first one after a resume.
  void start() {
    first_step_s_ = now_s() - wall_clock_s_;
    phases_.restart(so_far_);
  }
  /// An epoch begins; writing after the one before took `checkpoint_s`.
  void begin_epoch(std::size_t number, double checkpoint_s) {
    so_far_ = {};
    so_far_[static_cast<std::size_t>(Phase::checkpoint)] = checkpoint_s;
    phases_.restart(so_far_);
    resume_epoch(number);
  }
  /// After start(), an epoch goes on that an earlier process began.
  void resume_epoch(std::size_t number) const {
    if (Timeline* const timeline = phases_.timeline()) timeline->begin_epoch(number, phases_.last_s());
  }
  /// A checkpoint is about to be written, within an epoch or between two.
  void pause(bool in_epoch) {
    so_far_ = in_epoch ? phases_.stop() : PhaseSeconds{};
    wall_clock_s_ = wall_clock_s();
  }
  /// An epoch ends; returns its phases.
  [[nodiscard]] const PhaseSeconds& end_epoch() {
    const PhaseSeconds& phases = phases_.stop();
    if (Timeline* const timeline = phases_.timeline()) timeline->end_epoch(phases_.last_s());
    return phases;
  }

  /// Wall time since the first step.
  [[nodiscard]] double wall_clock_s() const { return now_s() - first_step_s_; }
  /// The phases of the epoch that was paused.
  [[nodiscard]] const PhaseSeconds& so_far() const { return so_far_; }
  [[nodiscard]] PhaseTimer& phases() const { return phases_; }
  void describe_state(algorithms::State& state) {
    for (std::size_t phase = 0; phase < phase_count; ++phase)
      state.add("epoch_" + std::string(phase_names[phase]) + "_s", &so_far_[phase]);
    state.add("wall_clock_s", &wall_clock_s_);
  }

 private:
  PhaseTimer& phases_;
  PhaseSeconds so_far_{};      // of the epoch that was paused
  double wall_clock_s_ = 0.0;  // at the last pause
  double first_step_s_ = 0.0;  // when; moved back by the wall time of earlier processes
};

}  // namespace lockstep::train
