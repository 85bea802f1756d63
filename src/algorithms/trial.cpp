// SPDX-License-Identifier: BSD-3-Clause
// Steps one way, then the other.
#include "algorithms/trial.hpp"

#include <array>

namespace lockstep::algorithms {

void Trial::add(const comm::Communicator& ranks, double seconds) {
  if (decided_) return;
  if (second_way())
    second_s_ += seconds;
  else if (steps_ >= warm_steps)
    first_s_ += seconds;
  if (++steps_ < warm_steps + 2 * trial_steps) return;
  std::array<double, 2> slowest{first_s_, second_s_};
  ranks.max(slowest);
  decided_ = slowest[1] < slowest[0];
}

}  // namespace lockstep::algorithms
