// SPDX-License-Identifier: BSD-3-Clause
// Steps one way, then the other.
#include "algorithms/trial.hpp"

#include <array>

namespace lockstep::algorithms {

void Trial::add(const comm::Communicator& ranks, double seconds) {
  if (is_decided()) return;
  if (second_way())
    second_s_ += seconds;
  else if (steps_ >= warm_steps)
    first_s_ += seconds;
  if (++steps_ < warm_steps + 2 * trial_steps) return;
  std::array<double, 2> slowest{first_s_, second_s_};
  ranks.max(slowest);
  decision_ = slowest[1] < slowest[0] ? second : first;
}

void Trial::describe_state(State& state, const std::string& name) {
  state.add(name + "_steps", &steps_);
  state.add(name + "_first_s", &first_s_);
  state.add(name + "_second_s", &second_s_);
  state.add(name + "_decision", &decision_);
}

}  // namespace lockstep::algorithms
