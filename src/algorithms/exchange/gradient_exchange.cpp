// SPDX-License-Identifier: BSD-3-Clause
// A step that exchanges gradients.
#include "algorithms/exchange/gradient_exchange.hpp"

#include <algorithm>

namespace lockstep::algorithms {

GradientExchange::GradientExchange(const ExchangeSetup& setup)
    : context_(setup.context),
      batch_(setup.context, setup.plan),
      traffic_(setup.context.ranks, setup.context.phases) {}

double GradientExchange::train(const Step& step) {
  const TrainingContext& c = context_;
  const double start_s = now_s();
  const nn::GradientReady* const on_ready = ready();
  const GatheredBatch batch = batch_.gather(step);  // of no samples: the gradients become zero
  c.phases.enter(Phase::compute);
  const double loss_sum =
      c.model.train(batch.context, batch.examples, c.options.gradient_scale(step.batch.gradient_samples),
                    {.first = 0, .values = c.gradients}, on_ready);
  sum_gradients(traffic_);
  c.phases.enter(Phase::update);
  const auto [begin, end] = updated();
  c.optimizer.begin_step();
  c.optimizer.update(0, c.parameters.subspan(begin, end - begin), c.gradients.subspan(begin, end - begin),
                     step.learning_rate);
  share_parameters(traffic_);
  step_done(now_s() - start_s);
  return loss_sum;
}

}  // namespace lockstep::algorithms
