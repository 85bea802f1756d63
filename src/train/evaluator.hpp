// SPDX-License-Identifier: BSD-3-Clause
// Evaluation on the test set, shared among the ranks.
#pragma once

#include <vector>

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

/// Evaluates parameters on the test set: each rank takes its share of the samples, in batches.
class Evaluator {
 public:
  /// At most `max_batch` samples at once.
  Evaluator(const data::Samples& test, std::size_t max_batch);

  /// With the parameters that are bound to the model; the same result on every rank. Collective.
  [[nodiscard]] TestResult evaluate(const comm::Communicator& ranks, nn::Model& model);

 private:
  const data::Samples& test_;
  std::size_t max_batch_;
  std::vector<std::uint32_t> ids_;
  AlignedVector<float> pixels_;
  std::vector<std::uint8_t> labels_;
};

}  // namespace lockstep::train
