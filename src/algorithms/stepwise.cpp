// SPDX-License-Identifier: BSD-3-Clause
// The common training loop.
#include "algorithms/stepwise.hpp"

#include <algorithm>
#include <cmath>
#include <utility>

#include "algorithms/exchange/exchanges.hpp"

namespace lockstep::algorithms {

void StepwiseAlgorithm::start(const TrainingContext& context) {
  context_.emplace(context);
  plan_.emplace(
      context.samples.count, context.options.batch_size, division_, context.ranks.rank(),
      context.ranks.size(), context.options.seed,
      context.options.reproducible && division_ == data::Division::batches ? reproducible_shards : 0);
  exchange_ = prepare();
  context_->optimizer.allocate(exchange_->layout().optimizer.held(context_->parameters.size()));
  if (context.options.batch_norm == "sync" && context.ranks.size() > 1 && context.model.depends_on_batch())
    context_->sum_over_ranks = [this](std::span<double> inout) { sum_over_ranks(inout); };
}

// The bytes are the least that an allreduce can send.
void StepwiseAlgorithm::sum_over_ranks(std::span<double> inout) {
  const std::size_t ranks = context_->ranks.size();
  context_->phases.enter(Phase::exchange);
  context_->ranks.sum(inout);
  if (comm::Traffic* const traffic = exchange_->traffic())
    traffic->add_sent(2 * (ranks - 1) * inout.size_bytes() / ranks, "mpi", inout.size_bytes());
  context_->phases.enter(Phase::compute);
}

std::unique_ptr<Exchange> StepwiseAlgorithm::prepare() {
  if (context_->options.reproducible) return make_reproducible_exchange({*context_, *plan_, {}});
  return make_local_update(*context_, *plan_, {});
}

EpochStats StepwiseAlgorithm::run_epoch(std::uint32_t epoch) {
  const TrainingContext& c = *context_;
  epoch_ = epoch;
  c.phases.enter(Phase::data);
  plan_->start_epoch(epoch);
  if (so_far_.steps == 0) {
    if (comm::Traffic* const traffic = exchange_->traffic()) traffic->reset();
    exchange_->begin_epoch();
    before_epoch(epoch);
  }
  so_far_.paused = false;
  const auto epochs = static_cast<double>(c.options.epochs);
  while (so_far_.steps < plan_->steps()) {
    c.phases.begin_step(so_far_.steps + 1);
    const double done = epoch + static_cast<double>(so_far_.steps) / static_cast<double>(plan_->steps());
    so_far_.learning_rate = nn::learning_rate_at(c.schedule, done, epochs);
    const Step step{.epoch = epoch,
                    .index = so_far_.steps,
                    .batch = plan_->batch(so_far_.steps),
                    .learning_rate = static_cast<float>(so_far_.learning_rate)};
    const double loss = exchange_->train(step);
    look_for_trouble(loss);
    so_far_.loss_sum += loss;
    so_far_.samples += step.batch.sample_ids.size();
    after_step(step.batch);
    ++so_far_.steps;
    if (c.on_step && c.on_step({so_far_.steps, plan_->steps(), so_far_.samples, so_far_.loss_sum})) {
      so_far_.paused = true;
      c.phases.end_steps();
      exchange_->synchronize_parameters();
      return so_far_;
    }
  }
  c.phases.end_steps();
  exchange_->synchronize_parameters();
  if (c.on_last_step) c.on_last_step();
  after_epoch(epoch, epoch + 1 == c.options.epochs);
  return std::exchange(so_far_, {});
}

void StepwiseAlgorithm::note_trouble(std::string what) {
  if (!trouble_) trouble_ = Trouble{.epoch = epoch_, .step = so_far_.steps + 1, .what = std::move(what)};
}

void StepwiseAlgorithm::look_for_trouble(double loss) {
  if (!exchange_->trouble().empty()) note_trouble(exchange_->trouble());
  if (std::isfinite(loss) || trouble_) return;
  const std::string bad = non_finite_tensors(context_->model, context_->parameters);
  note_trouble("its loss is " + std::to_string(loss) +
               (bad.empty() ? "" : ", its parameters are not finite in " + bad));
}

void StepwiseAlgorithm::describe_state(State& state) {
  const StateLayout layout = exchange_->layout();
  state.add("epoch_steps", &so_far_.steps);
  state.add("epoch_samples", &so_far_.samples);
  state.add("epoch_loss_sum", &so_far_.loss_sum);
  state.add("epoch_learning_rate", &so_far_.learning_rate);
  state.add("parameters", context_->parameters, layout.parameters);
  if (!context_->layer_state.empty())
    state.add("layer_state", context_->layer_state, {.kind = Distribution::Kind::local});
  const nn::OptimizerState optimizer = context_->optimizer.state();
  for (const auto& [name, values] : optimizer.arrays) state.add_held(name, values, layout.optimizer);
  if (optimizer.steps != nullptr) state.add("optimizer_steps", optimizer.steps);
  if (comm::Traffic* const traffic = exchange_->traffic())
    state.add("sent_bytes", traffic->sent_bytes_place());
  exchange_->describe_state(state);
  describe_variables(state);
}

void StepwiseAlgorithm::export_model(std::span<float> out) {
  std::ranges::copy(context_->parameters, out.begin());
  const std::span<float> state = out.subspan(context_->parameters.size());
  std::ranges::copy(context_->layer_state, state.begin());
  if (state.empty() || context_->ranks.size() == 1) return;
  context_->phases.meet_others();
  context_->allreduce.sum(state);
  for (float& value : state) value /= static_cast<float>(context_->ranks.size());
}

std::vector<std::size_t> StepwiseAlgorithm::batch_sizes() const {
  std::vector<std::size_t> sizes;
  for (std::size_t index = 0; index < plan_->steps(); ++index) {
    const std::size_t size = plan_->batch(index).sample_ids.size();
    if (size > 0 && std::ranges::find(sizes, size) == sizes.end()) sizes.push_back(size);
  }
  return sizes;
}

}  // namespace lockstep::algorithms
