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

/// Evaluates models on the test set: each rank takes its share of the samples, in batches. All functions are
/// collective.
class Evaluator {
 public:
  /// At most `max_batch` samples at once; `model` takes as many. All outlive it.
  Evaluator(const comm::Communicator& ranks, const data::Samples& test, std::size_t max_batch,
            nn::Model& model, PhaseTimer& phases);

  /// What the algorithm exports now; the same result on every rank.
  [[nodiscard]] TestResult evaluate(algorithms::Algorithm& algorithm);
  /// What it exports now: parameters, and behind them the layers' state; until the next call.
  [[nodiscard]] std::span<const float> exported(algorithms::Algorithm& algorithm);

  /// From now on evaluate_own() does something.
  void prepare_own() { alone_.emplace(ranks_.split(ranks_.rank())); }
  /// Each rank's own model on the whole test set. The ranks leave it together, so that slow evaluation is not
  /// charged to training.
  void evaluate_own();
  /// What that found last; none without prepare_own().
  [[nodiscard]] const std::optional<double>& own_accuracy() const { return own_accuracy_; }

 private:
  [[nodiscard]] TestResult evaluate(const comm::Communicator& ranks);

  const comm::Communicator& ranks_;
  const data::Samples& test_;
  nn::Model& model_;
  PhaseTimer& phases_;
  std::vector<std::uint32_t> ids_;    // [max_batch]
  AlignedVector<float> pixels_;       // [max_batch, features]
  std::vector<std::int32_t> labels_;  // [max_batch]
  AlignedVector<float> exported_;
  std::optional<comm::Communicator> alone_;
  std::optional<double> own_accuracy_;
};

}  // namespace lockstep::train
