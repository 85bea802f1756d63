// SPDX-License-Identifier: BSD-3-Clause
// The halves of a step, and the waits between them.
#include "algorithms/exchange/node_sharded_step.hpp"

#include <algorithm>
#include <array>
#include <utility>

#include "core/aligned.hpp"
#include "core/names.hpp"
#include "core/simd.hpp"

namespace lockstep::algorithms {

bool nodes_are_alike(const comm::Communicator& ranks) {
  const auto size = static_cast<double>(ranks.node().size());
  std::array<double, 2> largest_and_negative_smallest{size, -size};
  ranks.max(largest_and_negative_smallest);
  return largest_and_negative_smallest[0] == -largest_and_negative_smallest[1];
}

NodeShardedStep::NodeShardedStep(const TrainingContext& context, const data::BatchPlan& plan,
                                 comm::Communicator node)
    : context_(context),
      node_(std::move(node)),
      across_(context.ranks.split(node_.rank())),
      samples_(context.samples, plan, context.ranks, node_),
      model_(context.model, samples_.most_rows(), node_.size()),
      own_(model_, node_.rank(), node_.size()),
      memory_(node_, context.parameters.size(), model_.shared_floats(samples_.most_rows()),
              own_.summed().count),
      barrier_(node_) {
  // Pages lie near the rank that writes them in training.
  for (const Ownership::Owned& owned : own_.owned())
    std::ranges::copy(context.parameters.subspan(owned.part.begin, owned.part.count),
                      parameters().subspan(owned.part.begin).begin());
  if (across_.size() > 1) allreduce_ = comm::make_allreduce("rabenseifner", across_, own_.count());
  if (model_.partial_width() > 0) forward_.emplace(model_, node_, own_.first_parts(), samples_.most_rows());
  std::ranges::fill(memory_.gradients_of(node_.rank()), 0.0F);
  memory_.fence();
}

std::string NodeShardedStep::sharded_layers() const {
  std::vector<std::string> names;
  for (const Ownership::Owned& owned : own_.owned())
    if (owned.block.is_sharded) names.push_back(layer_at(owned.block.begin));
  return names.empty() ? "none" : join(names);
}

std::string NodeShardedStep::sharded_forward() const { return forward_ ? layer_at(0) : "none"; }

// The layer whose parameters begin there.
std::string NodeShardedStep::layer_at(std::size_t parameter) const {
  for (const nn::ModelTensorPlace& tensor : context_.model.tensors())
    if (!tensor.is_state && tensor.begin == parameter) return tensor.name.substr(0, tensor.name.find('/'));
  return "?";
}

data::Range NodeShardedStep::own_columns() const {
  return forward_ ? own_.columns() : data::Range{0, context_.samples.inputs.width};
}

void NodeShardedStep::wait() {
  simd::fence_streams();
  context_.phases.enter(Phase::wait);
  barrier_.wait();
}

double NodeShardedStep::train(const nn::ForwardContext& pass, const Rows& rows,
                              std::span<const std::int32_t> targets, float gradient_scale,
                              float learning_rate) {
  const double start_s = now_s();
  const math::Stores stores = streams_.second_way() ? math::Stores::streamed : math::Stores::cached;
  if (forward_) {
    forward_->contribute(context_, model_, samples_.all(rows), rows, stores);
    wait();
  }
  context_.phases.enter(Phase::compute);
  const std::span<float> gradients = memory_.gradients_of(node_.rank());
  double loss_sum = 0.0;
  if (rows.own > 0 || pass.sum_over_ranks != nullptr) {
    loss_sum =
        model_.backpropagate(pass, {std::as_const(samples_).own(rows), targets}, gradient_scale,
                             {.first = own_.summed().begin, .values = gradients},
                             forward_ ? forward_->contributions(rows) : std::span<const math::ConstMatrix>());
    context_.phases.enter(Phase::exchange);
    model_.share_activations(memory_.activations(), samples_.most_rows(), rows.first, rows.own, stores);
  } else {
    std::ranges::fill(gradients, 0.0F);
  }
  wait();
  update_parts(rows, learning_rate, stores);
  if (!forward_) wait();
  streams_.add(node_, now_s() - start_s);
  return loss_sum;
}

void NodeShardedStep::synchronize_parameters() {
  if (forward_) wait();
}

void NodeShardedStep::update_parts(const Rows& rows, float learning_rate, math::Stores stores) {
  using Owned = Ownership::Owned;
  const auto plain = context_.optimizer.plain_step(learning_rate);
  const auto parameters_of = [&](const Owned& owned) {
    return parameters().subspan(owned.part.begin, owned.part.count);
  };
  const auto gradients_of = [&](const Owned& owned) {
    return context_.gradients.subspan(owned.place, owned.part.count);
  };
  // A gradient that need not be kept goes into the parameters as it is computed.
  const auto at_once = [&](const Owned& owned) { return plain && !allreduce_ && owned.block.is_sharded; };

  context_.phases.enter(Phase::compute);
  for (const Owned& owned : own_.owned()) {
    if (!owned.block.is_sharded) continue;
    const nn::GradientTarget target =
        at_once(owned) ? nn::GradientTarget{.first = owned.part.begin,
                                            .values = parameters_of(owned),
                                            .scale = -plain->rate,
                                            .beta = plain->beta,
                                            .stores = stores}
                       : nn::GradientTarget{.first = owned.part.begin, .values = gradients_of(owned)};
    model_.add_sharded_gradients(samples_.all(rows), memory_.activations(), samples_.most_rows(), target);
  }
  context_.phases.enter(Phase::exchange);
  for (const Owned& owned : own_.owned())
    if (!owned.block.is_sharded) sum_own_gradients(owned.part, gradients_of(owned));
  if (allreduce_) {
    context_.phases.enter(Phase::wait);
    across_.barrier();
    context_.phases.enter(Phase::exchange);
    allreduce_->sum(context_.gradients.first(own_.count()));
  }
  context_.phases.enter(Phase::update);
  context_.optimizer.begin_step();
  for (const Owned& owned : own_.owned()) {
    if (at_once(owned)) continue;
    const Working working([&] { return context_.optimizer.work(owned.part.count); });
    if (working)
      context_.optimizer.update(owned.place, parameters_of(owned), gradients_of(owned), learning_rate);
  }
}

void NodeShardedStep::sum_own_gradients(const Part& part, std::span<float> sum) const {
  const Working working([&] { return array_work(node_add, node_.size() * part.count, 3); });
  if (!working) return;
  const std::size_t begin = part.begin - own_.summed().begin;
  std::copy_n(memory_.gradients_of(0).data() + begin, part.count, sum.data());
  for (std::size_t rank = 1; rank < node_.size(); ++rank) {
    const float* __restrict from = memory_.gradients_of(rank).data() + begin;
    float* __restrict to = sum.data();
    for (std::size_t i = 0; i < part.count; ++i) to[i] += from[i];
  }
}

std::size_t NodeShardedStep::sent_bytes(const Rows& rows) const {
  constexpr std::size_t line_floats =
      cache_line_bytes / sizeof(float);  // so many rows have no gaps between them
  return rows.own * (model_.shared_floats(line_floats) / line_floats) * sizeof(float) +
         (own_.summed().count + own_.count()) * sizeof(float) + (forward_ ? forward_->sent_bytes(rows) : 0) +
         (allreduce_ ? allreduce_->sent_bytes(own_.count()) : 0);
}

}  // namespace lockstep::algorithms
