// SPDX-License-Identifier: BSD-3-Clause
// Phases of an epoch, carried over a pause.
#include "train/training_clock.hpp"

#include <string>

namespace lockstep::train {

void TrainingClock::start() {
  first_step_s_ = now_s() - wall_clock_s_;
  phases_.restart(Phase::data, so_far_);
}

void TrainingClock::begin_epoch(double checkpoint_s) {
  so_far_ = {};
  so_far_[static_cast<std::size_t>(Phase::checkpoint)] = checkpoint_s;
  phases_.restart(Phase::data, so_far_);
}

void TrainingClock::pause(bool in_epoch) {
  so_far_ = in_epoch ? phases_.stop() : PhaseSeconds{};
  wall_clock_s_ = wall_clock_s();
}

void TrainingClock::describe_state(algorithms::State& state) {
  for (std::size_t phase = 0; phase < phase_count; ++phase)
    state.add("epoch_" + std::string(phase_names[phase]) + "_s", &so_far_[phase]);
  state.add("wall_clock_s", &wall_clock_s_);
}

}  // namespace lockstep::train
