// SPDX-License-Identifier: BSD-3-Clause
// When ranks that train on their own average: the interface, and one factory a way.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <vector>

#include "algorithms/algorithm.hpp"

namespace lockstep::algorithms {

/// What a trigger is shown after a step of its rank.
struct TriggerView {
  std::span<const float> parameters;  ///< of this rank
  std::size_t ranks = 1;
  /// True if any rank says so: an allreduce of one number. Collective.
  std::function<bool(bool)> any_rank;
};

/// Decides when parameters are averaged; all ranks come to the same decision at the same step.
class Trigger {
 public:
  virtual ~Trigger() = default;
  virtual void describe(Options& /*options*/) {}
  virtual void describe_state(State& /*state*/) {}
  /// `parameters` is the model that all ranks start from.
  virtual void start(std::span<const float> /*parameters*/) {}
  virtual void before_epoch(std::uint32_t /*epoch*/) {}
  /// After every step. Collective.
  [[nodiscard]] virtual bool due_after_step(const TriggerView& /*view*/) { return false; }
  [[nodiscard]] virtual bool due_after_epoch(std::uint32_t /*epoch*/) const { return false; }
  /// Whether values of parameters decide.
  [[nodiscard]] virtual bool looks_at_parameters() const { return false; }
  /// After an average, with the new parameters.
  virtual void averaged(std::span<const float> /*parameters*/) {}
  virtual void observe(std::vector<Observation>& /*to*/) const {}
};

/// Every avg_freq epochs, every avg_steps steps, or only at the end of training (McDonald et al. 2010; with
/// avg_steps = H it is local SGD, Stich 2019).
[[nodiscard]] std::unique_ptr<Trigger> make_scheduled_trigger();
/// When a rank's drift from the last average exceeds drift_threshold, looked at every check_steps steps (in
/// the spirit of dynamic averaging, Kamp et al. 2018). Exchanges one number a check.
[[nodiscard]] std::unique_ptr<Trigger> make_drift_trigger();
/// After every step of the first switch_epochs epochs, then every local_steps steps (Lin, Stich, Patel &
/// Jaggi, "Don't use large mini-batches, use local SGD", 2020).
[[nodiscard]] std::unique_ptr<Trigger> make_post_local_trigger();

}  // namespace lockstep::algorithms
