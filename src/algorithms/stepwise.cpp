// SPDX-License-Identifier: BSD-3-Clause
// The common training loop.
#include "algorithms/stepwise.hpp"

#include <algorithm>

namespace lockstep::algorithms {

void StepwiseAlgorithm::start(const Worker& worker) {
  worker_.emplace(worker);
  plan_.emplace(worker.samples.count(), worker.options.batch_size, division(), worker.ranks.rank(),
                worker.ranks.size(), worker.options.seed);
  pixels_.resize(plan_->largest_batch() * worker.samples.features);
  labels_.resize(plan_->largest_batch());
  prepare();
}

double StepwiseAlgorithm::train_batch(std::uint32_t epoch, const data::Batch& batch) {
  const Worker& w = worker();
  if (batch.sample_ids.empty()) {
    w.phases.enter(Phase::compute);
    std::ranges::fill(w.gradients, 0.0F);
    return 0.0;
  }
  const math::Matrix pixels(pixels_.data(), batch.sample_ids.size(), w.samples.features);
  const auto labels = std::span(labels_).first(batch.sample_ids.size());
  data::gather(w.samples, batch.sample_ids, pixels, labels);
  w.phases.enter(Phase::compute);
  const nn::Pass pass{.training = true, .epoch = epoch, .sample_ids = batch.sample_ids};
  return w.model.train(pass, pixels, labels, w.options.gradient_scale(batch.gradient_samples));
}

EpochStats StepwiseAlgorithm::run_epoch(std::uint32_t epoch) {
  const Worker& w = worker();
  w.phases.enter(Phase::data);
  plan_->start_epoch(epoch);
  before_epoch();
  EpochStats stats;
  const auto epochs = static_cast<double>(w.options.epochs);
  for (std::size_t step = 0; step < plan_->steps(); ++step) {
    w.phases.enter(Phase::data);
    const data::Batch batch = plan_->batch(step);
    stats.loss_sum += train_batch(epoch, batch);
    exchange_gradients();
    w.phases.enter(Phase::update);
    const double done = epoch + static_cast<double>(step) / static_cast<double>(plan_->steps());
    stats.learning_rate = nn::learning_rate_at(w.schedule, done, epochs);
    if (batch.gradient_samples > 0) {
      w.optimizer.begin_step();
      w.optimizer.update(0, w.parameters, w.gradients, static_cast<float>(stats.learning_rate));
    }
    stats.samples += batch.sample_ids.size();
    after_step(batch);
    if (w.on_step) w.on_step({step + 1, plan_->steps(), stats.samples, stats.loss_sum});
  }
  after_epoch(epoch, epoch + 1 == w.options.epochs);
  stats.steps = plan_->steps();
  return stats;
}

void StepwiseAlgorithm::export_parameters(std::span<float> out) {
  std::ranges::copy(worker().parameters, out.begin());
}

void StepwiseAlgorithm::wait_for_ranks() const {
  worker().phases.enter(Phase::wait);
  worker().ranks.barrier();
  worker().phases.enter(Phase::exchange);
}

}  // namespace lockstep::algorithms
