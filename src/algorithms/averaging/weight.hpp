// SPDX-License-Identifier: BSD-3-Clause
// How much each rank counts in an average: the interface, and one factory a way.
#pragma once

#include <memory>
#include <span>
#include <vector>

#include "algorithms/algorithm.hpp"

namespace lockstep::algorithms {

/// The factor on a rank's parameters in an average, beside the samples that it trained on.
class Weight {
 public:
  virtual ~Weight() = default;
  virtual void describe(Options& /*options*/) {}
  virtual void describe_state(State& /*state*/) {}
  /// `parameters` is the model that all ranks start from.
  virtual void start(std::span<const float> /*parameters*/) {}
  virtual void before_epoch() {}
  /// In [0, 1], of this rank's parameters; called once an average, before the exchange.
  [[nodiscard]] virtual float of(std::span<const float> /*parameters*/) { return 1.0F; }
  /// After an average over `ranks` ranks, with the new parameters.
  virtual void averaged(std::span<const float> /*parameters*/, std::size_t /*ranks*/) {}
  virtual void observe(std::vector<Observation>& /*to*/) const {}
};

/// Every rank weighs the same.
[[nodiscard]] std::unique_ptr<Weight> make_equal_weight();
/// gamma_i = exp(-lambda d_i), d_i = ||m - t_i|| / (||m|| + ||t_i||), m the previous average and t_i the
/// rank's parameters: the further a rank has drifted, the less it counts. gamma is in [e^-lambda, 1]; lambda
/// = 0, or equal drifts, weigh all the same.
[[nodiscard]] std::unique_ptr<Weight> make_drift_weight();

}  // namespace lockstep::algorithms
