// SPDX-License-Identifier: BSD-3-Clause
// A choice between two ways, made by trying both.
#pragma once

#include <cstddef>
#include <string>

#include "algorithms/state.hpp"
#include "comm/communicator.hpp"

namespace lockstep::algorithms {

/// Decides between two ways that compute the same: after a few warm-up steps it runs `trial_steps` steps each
/// way, and chooses the one that took less time on the slowest rank.
class Trial {
 public:
  /// Which way the coming step goes.
  [[nodiscard]] bool second_way() const {
    return is_decided() ? decision_ == second : steps_ >= warm_steps + trial_steps;
  }
  [[nodiscard]] bool is_decided() const { return decision_ != none; }
  /// After a step that took `seconds`. Collective.
  void add(const comm::Communicator& ranks, double seconds);
  /// So that a resumed training keeps the decision, or continues the trial.
  void describe_state(State& state, const std::string& name);

 private:
  static constexpr std::size_t none = 0, first = 1, second = 2;
  static constexpr std::size_t warm_steps = 8;
  static constexpr std::size_t trial_steps = 24;
  std::size_t steps_ = 0;
  double first_s_ = 0.0, second_s_ = 0.0;
  std::size_t decision_ = none;
};

}  // namespace lockstep::algorithms
