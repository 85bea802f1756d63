// SPDX-License-Identifier: BSD-3-Clause
// A step's samples, gathered for the model.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "algorithms/exchange/exchange.hpp"
#include "core/aligned.hpp"
#include "math/matrix.hpp"

namespace lockstep::algorithms {

/// What a model is given of a step. Valid until the next one is gathered.
struct GatheredBatch {
  nn::ForwardContext context;
  nn::Examples examples;
};

/// Gathers the samples of a step, and prefetches those of the next one.
class BatchBuffer {
 public:
  enum class Inputs { here, elsewhere };

  /// `inputs`: whether it has room for them. Context and plan outlive it.
  BatchBuffer(const TrainingContext& context, const data::BatchPlan& plan, Inputs inputs = Inputs::here);

  /// This rank's samples of a step, here.
  [[nodiscard]] GatheredBatch gather(const Step& step);
  /// Some of them.
  [[nodiscard]] GatheredBatch gather(const Step& step, std::span<const std::uint32_t> sample_ids);
  /// The same, with `columns` of the inputs alone gathered into `inputs` [batch, width].
  [[nodiscard]] GatheredBatch gather(const Step& step, float* inputs, data::Range columns);

 private:
  /// Of `sample_ids`, `columns` of the inputs into `inputs`.
  [[nodiscard]] GatheredBatch gather(const Step& step, std::span<const std::uint32_t> sample_ids,
                                     float* inputs, data::Range columns);

  const TrainingContext& context_;
  const data::BatchPlan& plan_;
  AlignedVector<float> inputs_;        // [largest batch, width], or empty
  std::vector<std::int32_t> targets_;  // [largest batch, targets of a sample]
};

}  // namespace lockstep::algorithms
