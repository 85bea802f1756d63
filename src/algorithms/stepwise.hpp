// SPDX-License-Identifier: BSD-3-Clause
// The loop that step-wise algorithms have in common.
#pragma once

#include <memory>
#include <optional>

#include "algorithms/algorithm.hpp"
#include "algorithms/exchange/exchange.hpp"
#include "data/batches.hpp"

namespace lockstep::algorithms {

/// An epoch of steps: an exchange trains a batch, then the algorithm does what follows a step. Derived
/// classes choose the exchange and fill in what comes between steps; the books of the loop, of the parameters
/// and of the optimizer are kept here.
class StepwiseAlgorithm : public Algorithm {
 public:
  /// Ranks that divide batches agree and are serial SGD; others are on their own between averages.
  [[nodiscard]] Capabilities capabilities() const override {
    const bool together = division_ == data::Division::batches;
    return {.one_model = together, .equals_serial = together, .divides_batches = together};
  }
  void start(const TrainingContext& context) final;
  EpochStats run_epoch(std::uint32_t epoch) final;
  void describe_state(State& state) final;
  /// The parameters as they are, and the mean of the ranks' layer state; for ranks that agree.
  void export_model(std::span<float> out) override;
  [[nodiscard]] std::vector<Choice> choices() const final { return exchange_->choices(); }
  [[nodiscard]] const Trouble* trouble() const final { return trouble_ ? &*trouble_ : nullptr; }
  [[nodiscard]] std::vector<std::size_t> batch_sizes() const final;

 protected:
  /// `division`: how the ranks divide an epoch.
  explicit StepwiseAlgorithm(data::Division division) : division_(division) {}

  /// Allocates what the algorithm needs beyond the loop, and makes the exchange; by default none, with ranks
  /// that agree. Collective.
  [[nodiscard]] virtual std::unique_ptr<Exchange> prepare();
  /// Before the first step of an epoch.
  virtual void before_epoch(std::uint32_t /*epoch*/) {}
  /// After the update; `batch` is what was trained. Collective.
  virtual void after_step(const data::Batch& /*batch*/) {}
  /// After an epoch's last step; `last` after the training's last. Collective.
  virtual void after_epoch(std::uint32_t /*epoch*/, bool /*last*/) {}
  /// Lists the variables of the derived class that outlive a step.
  virtual void describe_variables(State& /*state*/) {}

  /// Keeps the first trouble of this rank, with the step at which it is.
  void note_trouble(std::string what);

  /// Of this algorithm: an exchange may have moved its parameters.
  [[nodiscard]] TrainingContext& context() { return *context_; }
  [[nodiscard]] const TrainingContext& context() const { return *context_; }
  [[nodiscard]] const data::BatchPlan& plan() const { return *plan_; }
  [[nodiscard]] Exchange& exchange() const { return *exchange_; }

 private:
  void look_for_trouble(double loss);
  void sum_over_ranks(std::span<double> inout);

  data::Division division_;
  std::optional<TrainingContext> context_;
  std::optional<data::BatchPlan> plan_;
  std::unique_ptr<Exchange> exchange_;
  std::optional<Trouble> trouble_;
  std::uint32_t epoch_ = 0;  // the one of the last step
  EpochStats so_far_;        // of the current epoch; no steps between epochs
};

}  // namespace lockstep::algorithms
