// SPDX-License-Identifier: BSD-3-Clause
// Evaluation on the test set, shared among the ranks.
#pragma once

#include <optional>
#include <vector>

#include "algorithms/algorithm.hpp"
#include "comm/communicator.hpp"
#include "core/aligned.hpp"
#include "data/dataset.hpp"
#include "nn/model.hpp"

namespace lockstep::train {

/// Mean loss and share of right answers.
struct TestResult {
  double loss = 0.0;
  double accuracy = 0.0;
};

/// Evaluates models on the test set: each rank takes its share, in batches. All functions are collective.
class Evaluator {
 public:
  /// Evaluates at most `max_batch` samples at once, which `model` must be able to take. All outlive it.
  Evaluator(const comm::Communicator& ranks, const data::Samples& test, std::size_t max_batch,
            nn::Model& model, PhaseTimer& phases);

  /// Evaluates what the algorithm exports now; the same result on every rank.
  [[nodiscard]] TestResult evaluate(algorithms::Algorithm& algorithm);
  /// Parameters and, behind them, the layers' state as exported now; valid until the next call.
  [[nodiscard]] std::span<const float> exported(algorithms::Algorithm& algorithm);

  /// Without this call, evaluate_own() does nothing.
  void prepare_own() { alone_.emplace(ranks_.split(ranks_.rank())); }
  /// Evaluates each rank's own model on the whole test set, then waits for all ranks, off the training clock.
  void evaluate_own();
  /// The last result of evaluate_own(); none without prepare_own().
  [[nodiscard]] const std::optional<double>& own_accuracy() const { return own_accuracy_; }

 private:
  [[nodiscard]] TestResult evaluate(const comm::Communicator& ranks);

  const comm::Communicator& ranks_;
  const data::Samples& test_;
  nn::Model& model_;
  PhaseTimer& phases_;
  std::vector<std::uint32_t> ids_;     // [max_batch]
  AlignedVector<float> inputs_;        // [max_batch, width]
  std::vector<std::int32_t> targets_;  // [max_batch, targets of a sample]
  AlignedVector<float> exported_;
  std::optional<comm::Communicator> alone_;
  std::optional<double> own_accuracy_;
};

}  // namespace lockstep::train
