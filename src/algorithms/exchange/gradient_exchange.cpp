// SPDX-License-Identifier: BSD-3-Clause
// A step that exchanges gradients.
#include "algorithms/exchange/gradient_exchange.hpp"

#include <algorithm>
#include <cassert>
#include <cmath>

#include "algorithms/trouble.hpp"
#include "comm/same_bits.hpp"

namespace lockstep::algorithms {

GradientExchange::GradientExchange(const ExchangeSetup& setup)
    : context_(setup.context),
      plan_(setup.plan),
      batch_(setup.context, setup.plan),
      traffic_(setup.context.ranks, setup.context.phases) {}

double GradientExchange::train(const Step& step) {
  const TrainingContext& c = context_;
  const double start_s = now_s();
  const double loss_sum = compute_gradients(step);
  sum_gradients(traffic_);
  c.phases.enter(Phase::update);
  update(step);
  share_parameters(traffic_);
  assert(comm::ranks_that_differ(c.ranks, c.parameters).empty());
  step_done(now_s() - start_s);
  return loss_sum;
}

double GradientExchange::compute_gradients(const Step& step) {
  return gradients_of(step, step.batch.sample_ids, context_.gradients);
}

// Of no samples: the gradients become zero.
double GradientExchange::gradients_of(const Step& step, std::span<const std::uint32_t> sample_ids,
                                      std::span<float> gradients) {
  const nn::GradientReady* const on_ready = ready();
  context_.phases.enter(Phase::data);
  const GatheredBatch batch = batch_.gather(step, sample_ids);
  context_.phases.enter(Phase::compute);
  return context_.model.train(batch.context, batch.examples,
                              context_.options.gradient_scale(step.batch.gradient_samples),
                              {.first = 0, .values = gradients}, on_ready);
}

void GradientExchange::update(const Step& step) {
  const TrainingContext& c = context_;
  const data::Range own = updated();
  const Working working([&] {
    Work work = c.optimizer.work(own.size());
    if (c.options.check_finite) work.kernel += ", checked";
    return work;
  });
  c.optimizer.begin_step();
  if (!working) return;
  for (std::size_t at = own.begin; at < own.end; at += block_before_.size()) {
    const std::size_t count = std::min(block_before_.size(), own.end - at);
    const auto parameters = c.parameters.subspan(at, count);
    const auto gradients = c.gradients.subspan(at, count);
    if (!c.options.check_finite) {
      c.optimizer.update(at - own.begin, parameters, gradients, step.learning_rate);
    } else if (!c.optimizer.update_checked(at - own.begin, parameters, gradients, step.learning_rate,
                                           block_before_)) {
      std::copy_n(block_before_.begin(), count, parameters.begin());
      return find_trouble(step);
    }
  }
}

void GradientExchange::find_trouble(const Step& step) {
  if (!trouble_.empty()) return;
  const TrainingContext& c = context_;
  trouble_ = "the sum of all gradients is not finite in " + non_finite_tensors(c.model, c.gradients);
  if (c.sum_over_ranks) return;  // that would wait for ranks that see no trouble
  const GatheredBatch batch = batch_.gather(step);
  const double loss_sum =
      c.model.train(batch.context, batch.examples, c.options.gradient_scale(step.batch.gradient_samples),
                    {.first = 0, .values = c.gradients});
  const std::string own = non_finite_tensors(c.model, c.gradients);
  if (!std::isfinite(loss_sum))
    trouble_ = "its loss is not finite";
  else if (!own.empty())
    trouble_ = "its gradient is not finite in " + own;
  else
    trouble_ += ", and its own is finite";
}

}  // namespace lockstep::algorithms
