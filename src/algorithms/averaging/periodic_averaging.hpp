// SPDX-License-Identifier: BSD-3-Clause
// Periodic averaging: one mechanism; published methods are presets of it.
#pragma once

#include <memory>
#include <optional>

#include "algorithms/averaging/trigger.hpp"
#include "algorithms/averaging/weight.hpp"
#include "algorithms/stepwise.hpp"
#include "core/aligned.hpp"

namespace lockstep::algorithms {

/// The parts that a method is put together from.
struct AveragingPreset {
  std::unique_ptr<Trigger> (*trigger)() = make_scheduled_trigger;
  std::unique_ptr<Weight> (*weight)() = make_equal_weight;
};

/// Each rank trains on its own part of the epoch in its own batches; when the trigger says so, and after the
/// training's last epoch, the parameters are replaced by their weighted average
///     m = sum_i c_i t_i / sum_i c_i,   c_i = weight_i * samples_i,
/// t_i the rank's parameters (and layer state) and samples_i what it trained on since the last average (equal
/// on all ranks but for ragged ends), so that averaging after every step is parallel_sgd. Optimizer state
/// stays with its rank. An average exchanges the weighted parameters and the weight itself in one allreduce.
class PeriodicAveraging final : public StepwiseAlgorithm {
 public:
  explicit PeriodicAveraging(const AveragingPreset& preset);

  void describe(Options& options) override;
  [[nodiscard]] Capabilities capabilities() const override {
    Capabilities holds = StepwiseAlgorithm::capabilities();
    holds.data_oblivious = !trigger_->looks_at_parameters();
    return holds;
  }
  /// The average of the ranks' parameters now. The ranks keep their own.
  void export_model(std::span<float> out) override;
  [[nodiscard]] std::vector<Observation> observations() const override;

 protected:
  [[nodiscard]] std::unique_ptr<Exchange> prepare() override;
  void before_epoch(std::uint32_t epoch) override;
  void after_step(const data::Batch& batch) override;
  void after_epoch(std::uint32_t epoch, bool last) override;
  void describe_variables(State& state) override;

 private:
  /// Replaces the parameters by their average, unless nothing was trained since the last one. Collective.
  void average();
  /// Off the books without `traffic`.
  void average_into(std::span<float> parameters, std::span<float> layer_state, float weight,
                    comm::Traffic* traffic);

  std::unique_ptr<Trigger> trigger_;
  std::unique_ptr<Weight> weight_;
  TriggerView view_;
  std::optional<comm::Traffic> traffic_;
  AlignedVector<float> exchanged_;  // parameters and, behind them, the weight
  double trained_ = 0.0;            // samples since the last average
  double largest_trained_ = 0.0;    // the same for rank 0, which never has fewer
  std::size_t averages_ = 0;
};

}  // namespace lockstep::algorithms
