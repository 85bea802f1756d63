// SPDX-License-Identifier: BSD-3-Clause
// Steps without an exchange.
#include <utility>

#include "algorithms/exchange/batch_buffer.hpp"
#include "algorithms/exchange/exchange.hpp"

namespace lockstep::algorithms {
namespace {

/// w <- w - rate * gradient of this rank's batch. Nothing is sent.
class LocalUpdate final : public Exchange {
 public:
  LocalUpdate(TrainingContext& context, const data::BatchPlan& plan, Distribution distribution)
      : context_(context), batch_(context, plan), distribution_(std::move(distribution)) {}

  double train(const Step& step) override {
    if (step.batch.sample_ids.empty()) return 0.0;
    const TrainingContext& c = context_;
    const auto plain = c.optimizer.plain_step(step.learning_rate);
    const GatheredBatch batch = batch_.gather(step);
    c.phases.enter(Phase::compute);
    const nn::GradientTarget target =
        plain ? nn::GradientTarget{.values = c.parameters, .scale = -plain->rate, .beta = plain->beta}
              : nn::GradientTarget{.values = c.gradients};
    const double loss_sum = c.model.train(batch.context, batch.examples,
                                          c.options.gradient_scale(step.batch.gradient_samples), target);
    c.phases.enter(Phase::update);
    if (!plain) {
      const Working working([&] { return c.optimizer.work(c.parameters.size()); });
      c.optimizer.begin_step();
      if (working) c.optimizer.update(0, c.parameters, c.gradients, step.learning_rate);
    }
    return loss_sum;
  }
  [[nodiscard]] StateLayout layout() const override { return {distribution_, distribution_}; }

 private:
  const TrainingContext& context_;
  BatchBuffer batch_;
  Distribution distribution_;
};

}  // namespace

std::unique_ptr<Exchange> make_local_update(TrainingContext& context, const data::BatchPlan& plan,
                                            Distribution distribution) {
  return std::make_unique<LocalUpdate>(context, plan, std::move(distribution));
}

}  // namespace lockstep::algorithms
