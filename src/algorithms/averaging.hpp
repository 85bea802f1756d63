// SPDX-License-Identifier: BSD-3-Clause
// What the parameter-averaging algorithms have in common.
#pragma once

#include "algorithms/stepwise.hpp"

namespace lockstep::algorithms {

/// Each rank trains on its own part of the epoch in its own batches; now and then the parameters are replaced
/// by their weighted average
///     m = sum_i c_i t_i / sum_i c_i,   c_i = weight() * samples_i,
/// t_i the rank's parameters and samples_i what it trained on since the last average (equal on all ranks but
/// for ragged ends), so that averaging after every step is parallel_sgd. Optimizer state stays with its rank.
/// An average exchanges the weighted parameters and the weight itself in one allreduce.
class AveragingAlgorithm : public StepwiseAlgorithm {
 public:
  /// The average of the ranks' parameters at this moment; training goes on from where each rank is.
  void export_parameters(std::span<float> out) final;
  [[nodiscard]] std::vector<Observation> observations() const override;
  void describe_state(State& state) override;

 protected:
  [[nodiscard]] data::Division division() const final { return data::Division::samples; }
  [[nodiscard]] Holding holding() const final { return {.kind = Holding::Kind::own}; }
  void prepare() override;
  void before_epoch() override;
  void after_step(const data::Batch& batch) override;
  /// Averages after the training's last epoch if that is still to be done; overrides call this last.
  void after_epoch(std::uint32_t epoch, bool last) override;

  /// The factor on this rank's parameters in an average, in [0, 1]; called once an average, before the
  /// exchange.
  [[nodiscard]] virtual float weight() { return 1.0F; }
  /// After an average, with the new parameters.
  virtual void averaged() {}

  /// Replaces the parameters by their average, unless nothing was trained since the last one. Collective.
  void average();
  /// An allreduce that counts what it sends. Collective.
  void sum_over_ranks(std::span<float> inout);
  [[nodiscard]] std::size_t averages_this_epoch() const { return averages_; }

 private:
  void average_into(std::span<float> out, float weight);

  AlignedVector<float> exchanged_;  // parameters and, behind them, the weight
  double trained_ = 0.0;            // samples since the last average
  double largest_trained_ = 0.0;    // the same for rank 0, which never has fewer
  std::size_t averages_ = 0;
  std::size_t sent_bytes_ = 0;
};

/// ||a - b|| / (||a|| + ||b||), in [0, 1]; 0 when both are zero.
[[nodiscard]] double relative_distance(std::span<const float> a, std::span<const float> b);

}  // namespace lockstep::algorithms
