// SPDX-License-Identifier: BSD-3-Clause
// Inputs and targets of a step's samples.
#include "algorithms/exchange/batch_buffer.hpp"

namespace lockstep::algorithms {

BatchBuffer::BatchBuffer(const TrainingContext& context, const data::BatchPlan& plan, Inputs inputs)
    : context_(context),
      plan_(plan),
      inputs_(inputs == Inputs::here ? plan.largest_batch() * context.samples.inputs.width : 0),
      targets_(plan.largest_batch() * context.samples.targets.width) {}

GatheredBatch BatchBuffer::gather(const Step& step) {
  return gather(step, inputs_.data(), {0, context_.samples.inputs.width});
}

GatheredBatch BatchBuffer::gather(const Step& step, std::span<const std::uint32_t> sample_ids) {
  return gather(step, sample_ids, inputs_.data(), {0, context_.samples.inputs.width});
}

GatheredBatch BatchBuffer::gather(const Step& step, float* inputs, data::Range columns) {
  return gather(step, step.batch.sample_ids, inputs, columns);
}

GatheredBatch BatchBuffer::gather(const Step& step, std::span<const std::uint32_t> ids, float* inputs,
                                  data::Range columns) {
  const math::Matrix rows(inputs, ids.size(), context_.samples.inputs.width);
  const auto targets = std::span(targets_).first(ids.size() * context_.samples.targets.width);
  if (const Working working([&] { return data::gather_work(context_.samples, ids.size(), columns); });
      working) {
    data::gather_columns(context_.samples, ids, columns, rows);
    data::gather_targets(context_.samples, ids, targets);
    if (step.index + 1 < plan_.steps())
      data::prefetch(context_.samples, plan_.batch(step.index + 1).sample_ids, columns);
  }
  return {.context = {.training = true,
                      .epoch = step.epoch,
                      .sample_ids = ids,
                      .sum_over_ranks = context_.sum_over_ranks ? &context_.sum_over_ranks : nullptr},
          .examples = {rows, targets}};
}

}  // namespace lockstep::algorithms
