// SPDX-License-Identifier: BSD-3-Clause
// The loop that step-wise algorithms have in common.
#pragma once

#include <optional>
#include <vector>

#include "algorithms/algorithm.hpp"
#include "core/aligned.hpp"
#include "data/batches.hpp"

namespace lockstep::algorithms {

/// An epoch of: gather a batch, forward and backward, exchange gradients, update, and whatever comes after a
/// step. Derived classes say how the epoch is divided and fill in the exchanges.
class StepwiseAlgorithm : public Algorithm {
 public:
  void start(const Worker& worker) final;
  EpochStats run_epoch(std::uint32_t epoch) final;
  /// The parameters as they are; for algorithms whose ranks always agree.
  void export_parameters(std::span<float> out) override;

 protected:
  [[nodiscard]] virtual data::Division division() const = 0;
  /// Allocates what the algorithm needs beyond the loop. Collective.
  virtual void prepare() {}
  /// Before the first step of an epoch.
  virtual void before_epoch() {}
  /// Between backward and update. A rank without samples in this step has zero gradients. Collective.
  virtual void exchange_gradients() {}
  /// After the update; `batch` is what was trained. Collective.
  virtual void after_step(const data::Batch& /*batch*/) {}
  /// After an epoch's last step; `last` after the training's last. Collective.
  virtual void after_epoch(std::uint32_t /*epoch*/, bool /*last*/) {}

  [[nodiscard]] const Worker& worker() const { return *worker_; }
  /// Charges the time until all ranks have come here to Phase::wait, then enters Phase::exchange. Collective.
  void wait_for_ranks() const;

 private:
  double train_batch(std::uint32_t epoch, const data::Batch& batch);

  std::optional<Worker> worker_;
  std::optional<data::BatchPlan> plan_;
  AlignedVector<float> pixels_;       // [largest batch, features]
  std::vector<std::uint8_t> labels_;  // [largest batch]
};

}  // namespace lockstep::algorithms
