// SPDX-License-Identifier: BSD-3-Clause
// Shared memory laid out, and the two halves of a step.
#include "algorithms/shared_step.hpp"

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

std::vector<nn::ParameterBlock> undivided_blocks(const nn::Model& model) {
  auto blocks = model.parameter_blocks();
  std::erase_if(blocks, [](const nn::ParameterBlock& block) { return block.gradient_divides; });
  return blocks;
}

}  // namespace

bool nodes_are_alike(const comm::Communicator& ranks) {
  const auto size = static_cast<double>(ranks.node().size());
  std::array<double, 2> largest_and_negative_smallest{size, -size};
  ranks.max(largest_and_negative_smallest);
  return largest_and_negative_smallest[0] == -largest_and_negative_smallest[1];
}

SharedStep::SharedStep(const Worker& worker, const data::BatchPlan& plan, comm::Communicator node)
    : node_(std::move(node)),
      across_(worker.ranks.split(node_.rank())),
      members_(members_of(node_, worker.ranks.rank())),
      features_(worker.samples.features),
      undivided_(undivided_blocks(worker.model)),
      part_begin_(worker.model.part_begin(worker.parameters.size() * node_.rank() / node_.size())),
      part_end_(worker.model.part_begin(worker.parameters.size() * (node_.rank() + 1) / node_.size())),
      largest_rows_(rows(plan, 0).all),
      published_bytes_(worker.model.published_floats(line_floats) / line_floats * sizeof(float)),
      pixels_(largest_rows_ * features_),
      barrier_(node_),
      window_([&] {
        const std::size_t count = whole_lines(worker.parameters.size());
        const std::size_t published = worker.model.published_floats(largest_rows_);
        const std::size_t gradients = undivided_.empty() ? 0 : node_.size() * count;
        comm::SharedWindow window(node_, (count + published + gradients) * sizeof(float));
        const std::span<float> all(reinterpret_cast<float*>(window.bytes().data()),
                                   window.bytes().size() / sizeof(float));
        parameters_ = all.first(worker.parameters.size());
        published_ = all.subspan(count, published);
        all_gradients_ = all.subspan(count + published, gradients);
        if (gradients > 0) own_gradients_ = all_gradients_.subspan(node_.rank() * count, parameters_.size());
        return window;
      }()) {
  const auto [first, last] = worker.model.input_columns(part_begin_, part_end_ - part_begin_);
  columns_ = {first, last};
  if (across_.size() > 1) allreduce_ = comm::make_allreduce("rabenseifner", across_, part_end_ - part_begin_);
  // Pages lie near the rank that writes them in training.
  std::ranges::copy(worker.parameters.subspan(part_begin_, part_end_ - part_begin_),
                    parameters_.subspan(part_begin_).begin());
  std::ranges::fill(own_gradients_, 0.0F);
  window_.fence();
}

SharedStep::Rows SharedStep::rows(const data::BatchPlan& plan, std::size_t step) const {
  Rows rows;
  for (std::size_t i = 0; i < members_.size(); ++i) {
    const std::size_t count = plan.samples_of(step, members_[i]).size();
    if (i < node_.rank()) rows.first += count;
    if (i == node_.rank()) rows.own = count;
    rows.all += count;
  }
  return rows;
}

void SharedStep::gather_others(const Worker& worker, const data::BatchPlan& plan, std::size_t step) {
  if (columns_.size() == 0) return;
  std::size_t row = 0;
  for (std::size_t i = 0; i < members_.size(); ++i) {
    const auto ids = plan.samples_of(step, members_[i]);
    if (i != node_.rank()) {
      data::gather_columns(worker.samples, ids, columns_,
                           {pixels_.data() + row * features_, ids.size(), features_});
      if (step + 1 < plan.steps())
        data::prefetch(worker.samples, plan.samples_of(step + 1, members_[i]), columns_);
    }
    row += ids.size();
  }
}

void SharedStep::wait(const Worker& worker) {
  simd::fence_streams();
  worker.phases.enter(Phase::wait);
  barrier_.wait();
}

double SharedStep::train(const Worker& worker, const nn::Pass& pass, const Rows& rows,
                         std::span<const std::uint8_t> labels, float gradient_scale, float learning_rate) {
  worker.phases.enter(Phase::compute);
  const double start_s = now_s();
  const math::Stores stores = streams_.second_way() ? math::Stores::streamed : math::Stores::cached;
  double loss_sum = 0.0;
  if (rows.own > 0) {
    loss_sum = worker.model.backpropagate(pass, {pixels(rows), rows.own, features_}, labels, gradient_scale,
                                          {.first = 0, .values = own_gradients_});
    worker.phases.enter(Phase::exchange);
    worker.model.publish(published_, largest_rows_, rows.first, rows.own, stores);
  } else {
    std::ranges::fill(own_gradients_, 0.0F);
  }
  wait(worker);
  update_part(worker, rows, learning_rate, stores);
  wait(worker);
  streams_.add(node_, now_s() - start_s);
  return loss_sum;
}

void SharedStep::update_part(const Worker& worker, const Rows& rows, float learning_rate,
                             math::Stores stores) {
  worker.phases.enter(Phase::compute);
  const std::size_t length = part_end_ - part_begin_;
  const std::span<float> parameters = parameters_.subspan(part_begin_, length);
  const std::span<float> gradients = worker.gradients.subspan(part_begin_, length);
  const auto plain = worker.optimizer.plain_step(learning_rate);
  const bool at_once = plain && !allreduce_ && undivided_.empty();
  worker.model.add_divided_gradients({pixels_.data(), rows.all, features_}, published_, largest_rows_,
                                     at_once ? nn::GradientTarget{.first = part_begin_,
                                                                  .values = parameters,
                                                                  .scale = -plain->rate,
                                                                  .keep = plain->keep,
                                                                  .stores = stores}
                                             : nn::GradientTarget{.first = part_begin_, .values = gradients});
  if (at_once) return;
  worker.phases.enter(Phase::exchange);
  sum_own_gradients(worker.gradients);
  if (allreduce_) {
    worker.phases.enter(Phase::wait);
    across_.barrier();
    worker.phases.enter(Phase::exchange);
    allreduce_->sum(gradients);
  }
  worker.phases.enter(Phase::update);
  worker.optimizer.begin_step();
  worker.optimizer.update(part_begin_, parameters, gradients, learning_rate);
}

void SharedStep::sum_own_gradients(std::span<float> gradients) const {
  const std::size_t stride = all_gradients_.size() / node_.size();
  for (const nn::ParameterBlock& block : undivided_) {
    const std::size_t begin = std::max(block.begin, part_begin_);
    const std::size_t end = std::min(block.begin + block.count, part_end_);
    if (begin >= end) continue;
    float* __restrict sum = gradients.data();
    std::copy_n(all_gradients_.data() + begin, end - begin, sum + begin);
    for (std::size_t rank = 1; rank < node_.size(); ++rank) {
      const float* __restrict from = all_gradients_.data() + rank * stride;
      for (std::size_t i = begin; i < end; ++i) sum[i] += from[i];
    }
  }
}

std::size_t SharedStep::sent_bytes(const Rows& rows) const {
  const std::size_t part = part_end_ - part_begin_;
  const std::size_t gradients = undivided_.empty() ? 0 : parameters_.size();
  return rows.own * published_bytes_ + (gradients + part) * sizeof(float) +
         (allreduce_ ? allreduce_->sent_bytes(part) : 0);
}

}  // namespace lockstep::algorithms
