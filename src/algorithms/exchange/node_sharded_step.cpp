// SPDX-License-Identifier: BSD-3-Clause
// Shared memory laid out, and the two halves of a step.
#include "algorithms/exchange/node_sharded_step.hpp"

#include <algorithm>
#include <array>
#include <utility>

#include "core/simd.hpp"

namespace lockstep::algorithms {
namespace {

constexpr std::size_t line_floats = cache_line_bytes / sizeof(float);
std::size_t whole_lines(std::size_t floats) { return (floats + line_floats - 1) / line_floats * line_floats; }

// The ranks in the job of all ranks of a node, in the node's order. Collective over the node.
std::vector<std::size_t> members_of(const comm::Communicator& node, std::size_t own_rank) {
  std::vector<double> ranks(node.size());
  ranks[node.rank()] = static_cast<double>(own_rank);
  node.sum(ranks);
  return {ranks.begin(), ranks.end()};
}

// What a rank owns of a block: of those that are divided whole groups of rows, of others whole cache lines.
Part part_of(const nn::ShardedModel& model, const nn::ShardedBlock& block, std::size_t rank,
             std::size_t ranks) {
  const auto begin = [&](std::size_t index) {
    const std::size_t at = block.begin + block.count * index / ranks;
    return block.is_sharded ? model.shard_begin(at) : std::min(whole_lines(at), block.begin + block.count);
  };
  const std::size_t first = rank == 0 ? block.begin : begin(rank);
  const std::size_t end = rank + 1 == ranks ? block.begin + block.count : begin(rank + 1);
  return {first, end - first};
}

Part undivided_part(const std::vector<nn::ShardedBlock>& blocks) {
  std::size_t begin = 0, end = 0;
  for (const nn::ShardedBlock& block : blocks) {
    if (block.is_sharded) continue;
    if (end == 0) begin = block.begin;
    end = block.begin + block.count;
  }
  return {begin, end - begin};
}

}  // namespace

bool nodes_are_alike(const comm::Communicator& ranks) {
  const auto size = static_cast<double>(ranks.node().size());
  std::array<double, 2> largest_and_negative_smallest{size, -size};
  ranks.max(largest_and_negative_smallest);
  return largest_and_negative_smallest[0] == -largest_and_negative_smallest[1];
}

NodeShardedStep::NodeShardedStep(const TrainingContext& context, const data::BatchPlan& plan,
                                 comm::Communicator node)
    : node_(std::move(node)),
      across_(context.ranks.split(node_.rank())),
      members_(members_of(node_, context.ranks.rank())),
      features_(context.samples.features),
      largest_rows_(rows(plan, 0).all),
      model_(context.model, largest_rows_, node_.size()),
      owned_([&] {
        std::vector<Owned> owned;
        std::size_t place = 0;
        for (const nn::ShardedBlock& block : model_.blocks()) {
          owned.push_back({block, part_of(model_, block, node_.rank(), node_.size()), place});
          place += owned.back().part.count;
        }
        return owned;
      }()),
      owned_count_(owned_.back().place + owned_.back().part.count),
      summed_(undivided_part(model_.blocks())),
      published_bytes_(model_.shared_floats(line_floats) / line_floats * sizeof(float)),
      pixels_(largest_rows_ * features_),
      barrier_(node_),
      window_([&] {
        const std::size_t count = whole_lines(context.parameters.size());
        const std::size_t published = model_.shared_floats(largest_rows_);
        const std::size_t gradients = whole_lines(summed_.count);
        comm::SharedWindow window(node_, (count + published + node_.size() * gradients) * sizeof(float));
        const std::span<float> all(reinterpret_cast<float*>(window.bytes().data()),
                                   window.bytes().size() / sizeof(float));
        parameters_ = all.first(context.parameters.size());
        published_ = all.subspan(count, published);
        all_gradients_ = all.subspan(count + published, node_.size() * gradients);
        own_gradients_ = all_gradients_.subspan(node_.rank() * gradients, summed_.count);
        return window;
      }()) {
  for (const Owned& owned : owned_) {
    const auto [first, last] = model_.input_columns(owned.part.begin, owned.part.count);
    if (first < last) columns_ = {first, last};
    // Pages lie near the rank that writes them in training.
    std::ranges::copy(context.parameters.subspan(owned.part.begin, owned.part.count),
                      parameters_.subspan(owned.part.begin).begin());
  }
  if (across_.size() > 1) allreduce_ = comm::make_allreduce("rabenseifner", across_, owned_count_);
  if (model_.partial_width() > 0) {
    std::vector<Part> parts;
    for (std::size_t rank = 0; rank < node_.size(); ++rank)
      parts.push_back(part_of(model_, owned_.front().block, rank, node_.size()));
    forward_.emplace(model_, node_, parts, largest_rows_);
  }
  std::ranges::fill(own_gradients_, 0.0F);
  window_.fence();
}

Rows NodeShardedStep::rows(const data::BatchPlan& plan, std::size_t step) const {
  Rows rows;
  for (std::size_t i = 0; i < members_.size(); ++i) {
    const std::size_t count = plan.samples_of(step, members_[i]).size();
    if (i < node_.rank()) rows.first += count;
    if (i == node_.rank()) rows.own = count;
    rows.all += count;
  }
  return rows;
}

void NodeShardedStep::gather_others(const TrainingContext& context, const data::BatchPlan& plan,
                                    std::size_t step) {
  if (columns_.size() == 0) return;
  std::size_t row = 0;
  for (std::size_t i = 0; i < members_.size(); ++i) {
    const auto ids = plan.samples_of(step, members_[i]);
    if (i != node_.rank()) {
      data::gather_columns(context.samples, ids, columns_,
                           {pixels_.data() + row * features_, ids.size(), features_});
      if (step + 1 < plan.steps())
        data::prefetch(context.samples, plan.samples_of(step + 1, members_[i]), columns_);
    }
    row += ids.size();
  }
}

void NodeShardedStep::wait(const TrainingContext& context) {
  simd::fence_streams();
  context.phases.enter(Phase::wait);
  barrier_.wait();
}

double NodeShardedStep::train(const TrainingContext& context, const nn::ForwardContext& pass,
                              const Rows& rows, std::span<const std::uint8_t> labels, float gradient_scale,
                              float learning_rate) {
  const double start_s = now_s();
  const math::Stores stores = streams_.second_way() ? math::Stores::streamed : math::Stores::cached;
  if (forward_) {
    forward_->contribute(context, model_, {pixels_.data(), rows.all, features_}, rows, stores);
    wait(context);
  }
  context.phases.enter(Phase::compute);
  double loss_sum = 0.0;
  if (rows.own > 0 || pass.sum_over_ranks != nullptr) {
    loss_sum =
        model_.backpropagate(pass, {pixels(rows), rows.own, features_}, labels, gradient_scale,
                             {.first = summed_.begin, .values = own_gradients_},
                             forward_ ? forward_->contributions(rows) : std::span<const math::ConstMatrix>());
    context.phases.enter(Phase::exchange);
    model_.share_activations(published_, largest_rows_, rows.first, rows.own, stores);
  } else {
    std::ranges::fill(own_gradients_, 0.0F);
  }
  wait(context);
  update_parts(context, rows, learning_rate, stores);
  if (!forward_) wait(context);
  streams_.add(node_, now_s() - start_s);
  return loss_sum;
}

void NodeShardedStep::synchronize_parameters(const TrainingContext& context) {
  if (forward_) wait(context);
}

void NodeShardedStep::update_parts(const TrainingContext& context, const Rows& rows, float learning_rate,
                                   math::Stores stores) {
  const auto plain = context.optimizer.plain_step(learning_rate);
  const auto parameters = [&](const Owned& owned) {
    return parameters_.subspan(owned.part.begin, owned.part.count);
  };
  const auto gradients = [&](const Owned& owned) {
    return context.gradients.subspan(owned.place, owned.part.count);
  };
  // A gradient that need not be kept goes into the parameters as it is computed.
  const auto at_once = [&](const Owned& owned) { return plain && !allreduce_ && owned.block.is_sharded; };

  context.phases.enter(Phase::compute);
  for (const Owned& owned : owned_) {
    if (!owned.block.is_sharded) continue;
    const nn::GradientTarget target =
        at_once(owned) ? nn::GradientTarget{.first = owned.part.begin,
                                            .values = parameters(owned),
                                            .scale = -plain->rate,
                                            .beta = plain->keep,
                                            .stores = stores}
                       : nn::GradientTarget{.first = owned.part.begin, .values = gradients(owned)};
    model_.add_sharded_gradients({pixels_.data(), rows.all, features_}, published_, largest_rows_, target);
  }
  context.phases.enter(Phase::exchange);
  for (const Owned& owned : owned_)
    if (!owned.block.is_sharded) sum_own_gradients(owned.part, gradients(owned));
  if (allreduce_) {
    context.phases.enter(Phase::wait);
    across_.barrier();
    context.phases.enter(Phase::exchange);
    allreduce_->sum(context.gradients.first(owned_count_));
  }
  context.phases.enter(Phase::update);
  context.optimizer.begin_step();
  for (const Owned& owned : owned_)
    if (!at_once(owned))
      context.optimizer.update(owned.place, parameters(owned), gradients(owned), learning_rate);
}

void NodeShardedStep::sum_own_gradients(const Part& part, std::span<float> sum) const {
  const float* const first = all_gradients_.data() + (part.begin - summed_.begin);
  std::copy_n(first, part.count, sum.data());
  for (std::size_t rank = 1; rank < node_.size(); ++rank) {
    const float* __restrict from = first + rank * whole_lines(summed_.count);
    float* __restrict to = sum.data();
    for (std::size_t i = 0; i < part.count; ++i) to[i] += from[i];
  }
}

Distribution NodeShardedStep::distribution() const {
  Distribution distribution{.kind = Distribution::Kind::sharded};
  for (const Owned& owned : owned_)
    distribution.blocks.push_back({owned.block.begin, owned.block.count, owned.part.begin, owned.part.count});
  return distribution;
}

std::size_t NodeShardedStep::sent_bytes(const Rows& rows) const {
  return rows.own * published_bytes_ + (summed_.count + owned_count_) * sizeof(float) +
         (forward_ ? forward_->sent_bytes(rows) : 0) +
         (allreduce_ ? allreduce_->sent_bytes(owned_count_) : 0);
}

}  // namespace lockstep::algorithms
