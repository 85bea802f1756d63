// SPDX-License-Identifier: BSD-3-Clause
// The common training loop.
#include "algorithms/stepwise.hpp"

#include <algorithm>
#include <utility>

namespace lockstep::algorithms {

void StepwiseAlgorithm::start(const Worker& worker) {
  worker_.emplace(worker);
  plan_.emplace(worker.samples.count(), worker.options.batch_size, division(), worker.ranks.rank(),
                worker.ranks.size(), worker.options.seed);
  pixels_.resize(plan_->largest_batch() * worker.samples.features);
  labels_.resize(plan_->largest_batch());
  prepare();
}

void StepwiseAlgorithm::move_parameters(std::span<float> parameters) {
  worker_->parameters = parameters;
  worker_->model.bind(parameters, worker_->model.layer_state());
}

StepwiseAlgorithm::Gathered StepwiseAlgorithm::gather(const Step& step, float* pixels, data::Range columns) {
  const Worker& w = worker();
  const std::span<const std::uint32_t> ids = step.batch.sample_ids;
  const math::Matrix images(pixels, ids.size(), w.samples.features);
  const auto labels = std::span(labels_).first(ids.size());
  data::gather_columns(w.samples, ids, columns, images);
  data::gather_labels(w.samples, ids, labels);
  if (step.index + 1 < plan_->steps())
    data::prefetch(w.samples, plan_->batch(step.index + 1).sample_ids, columns);
  return {
      .pass = {.training = true, .epoch = step.epoch, .sample_ids = ids}, .pixels = images, .labels = labels};
}

double StepwiseAlgorithm::train_step(const Step& step) {
  const Worker& w = worker();
  double loss_sum = 0.0;
  const auto plain = exchanges_gradients() ? std::nullopt : w.optimizer.plain_step(step.learning_rate);
  if (step.batch.sample_ids.empty()) {
    w.phases.enter(Phase::compute);
    std::ranges::fill(w.gradients, 0.0F);
  } else {
    const Gathered batch = gather(step, pixels_.data(), {0, w.samples.features});
    w.phases.enter(Phase::compute);
    const nn::GradientTarget target =
        plain ? nn::GradientTarget{.first = 0,
                                   .values = w.parameters,
                                   .scale = -plain->rate,
                                   .beta = plain->keep}
              : nn::GradientTarget{.first = 0, .values = w.gradients, .scale = 1.0F, .beta = 0.0F};
    loss_sum = w.model.train(batch.pass, batch.pixels, batch.labels,
                             w.options.gradient_scale(step.batch.gradient_samples), target);
  }
  exchange_gradients();
  w.phases.enter(Phase::update);
  if (!plain && step.batch.gradient_samples > 0) {
    w.optimizer.begin_step();
    w.optimizer.update(0, w.parameters, w.gradients, step.learning_rate);
  }
  return loss_sum;
}

EpochStats StepwiseAlgorithm::run_epoch(std::uint32_t epoch) {
  const Worker& w = worker();
  w.phases.enter(Phase::data);
  plan_->start_epoch(epoch);
  if (so_far_.steps == 0) before_epoch(epoch);
  so_far_.paused = false;
  const auto epochs = static_cast<double>(w.options.epochs);
  while (so_far_.steps < plan_->steps()) {
    w.phases.enter(Phase::data);
    const double done = epoch + static_cast<double>(so_far_.steps) / static_cast<double>(plan_->steps());
    so_far_.learning_rate = nn::learning_rate_at(w.schedule, done, epochs);
    const Step step{.epoch = epoch,
                    .index = so_far_.steps,
                    .batch = plan_->batch(so_far_.steps),
                    .learning_rate = static_cast<float>(so_far_.learning_rate)};
    so_far_.loss_sum += train_step(step);
    so_far_.samples += step.batch.sample_ids.size();
    after_step(step.batch);
    ++so_far_.steps;
    if (w.on_step && w.on_step({so_far_.steps, plan_->steps(), so_far_.samples, so_far_.loss_sum})) {
      so_far_.paused = true;
      settle();
      return so_far_;
    }
  }
  settle();
  if (w.on_last_step) w.on_last_step();
  after_epoch(epoch, epoch + 1 == w.options.epochs);
  return std::exchange(so_far_, {});
}

void StepwiseAlgorithm::describe_state(State& state) {
  state.add("epoch_steps", &so_far_.steps);
  state.add("epoch_samples", &so_far_.samples);
  state.add("epoch_loss_sum", &so_far_.loss_sum);
  state.add("epoch_learning_rate", &so_far_.learning_rate);
  state.add("parameters", worker().parameters, holding());
  const nn::OptimizerState optimizer = worker().optimizer.state();
  for (const auto& [name, values] : optimizer.arrays) state.add(name, values, holding());
  if (optimizer.steps != nullptr) state.add("optimizer_steps", optimizer.steps);
}

void StepwiseAlgorithm::export_parameters(std::span<float> out) {
  std::ranges::copy(worker().parameters, out.begin());
}

std::vector<std::size_t> StepwiseAlgorithm::batch_sizes() const {
  std::vector<std::size_t> sizes;
  for (std::size_t index = 0; index < plan_->steps(); ++index) {
    const std::size_t size = plan_->batch(index).sample_ids.size();
    if (size > 0 && std::ranges::find(sizes, size) == sizes.end()) sizes.push_back(size);
  }
  return sizes;
}

void StepwiseAlgorithm::wait_for_ranks() const {
  worker().phases.enter(Phase::wait);
  worker().ranks.barrier();
  worker().phases.enter(Phase::exchange);
}

}  // namespace lockstep::algorithms
