// SPDX-License-Identifier: BSD-3-Clause
// Images and labels of a step's samples.
#include "algorithms/exchange/batch_buffer.hpp"

namespace lockstep::algorithms {

BatchBuffer::BatchBuffer(const TrainingContext& context, const data::BatchPlan& plan, Pixels pixels)
    : context_(context),
      plan_(plan),
      pixels_(pixels == Pixels::here ? plan.largest_batch() * context.samples.features : 0),
      labels_(plan.largest_batch()) {}

GatheredBatch BatchBuffer::gather(const Step& step) {
  return gather(step, pixels_.data(), {0, context_.samples.features});
}

GatheredBatch BatchBuffer::gather(const Step& step, std::span<const std::uint32_t> sample_ids) {
  return gather(step, sample_ids, pixels_.data(), {0, context_.samples.features});
}

GatheredBatch BatchBuffer::gather(const Step& step, float* pixels, data::Range columns) {
  return gather(step, step.batch.sample_ids, pixels, columns);
}

GatheredBatch BatchBuffer::gather(const Step& step, std::span<const std::uint32_t> ids, float* pixels,
                                  data::Range columns) {
  const math::Matrix images(pixels, ids.size(), context_.samples.features);
  const auto labels = std::span(labels_).first(ids.size());
  data::gather_columns(context_.samples, ids, columns, images);
  data::gather_labels(context_.samples, ids, labels);
  if (step.index + 1 < plan_.steps())
    data::prefetch(context_.samples, plan_.batch(step.index + 1).sample_ids, columns);
  return {.context = {.training = true,
                      .epoch = step.epoch,
                      .sample_ids = ids,
                      .sum_over_ranks = context_.sum_over_ranks ? &context_.sum_over_ranks : nullptr},
          .examples = {images, labels}};
}

}  // namespace lockstep::algorithms
