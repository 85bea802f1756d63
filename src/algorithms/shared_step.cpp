// SPDX-License-Identifier: BSD-3-Clause
// Shared memory laid out, and the two halves of a step.
#include "algorithms/shared_step.hpp"

#include <algorithm>
#include <array>
#include <utility>

#include "core/aligned.hpp"

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
      activations_per_row_(features_ + worker.model.activation_floats(line_floats) / line_floats),
      barrier_(node_),
      window_([&] {
        const std::size_t count = whole_lines(worker.parameters.size());
        const std::size_t largest = rows(plan, 0).all;
        const std::size_t pixels = whole_lines(largest * features_);
        const std::size_t gradients = undivided_.empty() ? 0 : node_.size() * count;
        const std::size_t activations = worker.model.activation_floats(largest);
        comm::SharedWindow window(node_, (count + pixels + gradients + activations) * sizeof(float));
        const std::span<float> all(reinterpret_cast<float*>(window.bytes().data()),
                                   window.bytes().size() / sizeof(float));
        parameters_ = all.first(worker.parameters.size());
        pixels_ = all.data() + count;
        all_gradients_ = all.subspan(count + pixels, gradients);
        if (gradients > 0) own_gradients_ = all_gradients_.subspan(node_.rank() * count, parameters_.size());
        worker.model.share_activations(all.subspan(count + pixels + gradients, activations), largest);
        return window;
      }()) {
  if (across_.size() > 1) allreduce_ = comm::make_allreduce("rabenseifner", across_, part_end_ - part_begin_);
  // Pages lie near the rank that writes them in training.
  std::copy(worker.parameters.begin() + static_cast<std::ptrdiff_t>(part_begin_),
            worker.parameters.begin() + static_cast<std::ptrdiff_t>(part_end_),
            parameters_.begin() + static_cast<std::ptrdiff_t>(part_begin_));
  std::ranges::fill(own_gradients_, 0.0F);
  window_.fence();
}

SharedStep::Rows SharedStep::rows(const data::BatchPlan& plan, std::size_t index) const {
  Rows rows;
  for (std::size_t i = 0; i < members_.size(); ++i) {
    const std::size_t count = plan.batch_of(index, members_[i]);
    if (i < node_.rank()) rows.first += count;
    if (i == node_.rank()) rows.own = count;
    rows.all += count;
  }
  return rows;
}

void SharedStep::sum_own_gradients(std::span<float> gradients) const {
  const std::size_t stride = node_.size() == 0 ? 0 : all_gradients_.size() / node_.size();
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

double SharedStep::train(const Worker& worker, const nn::Pass& pass, const Rows& rows,
                         std::span<const std::uint8_t> labels, float gradient_scale, float learning_rate) {
  PhaseTimer& phases = worker.phases;
  phases.enter(Phase::compute);
  double loss_sum = 0.0;
  if (rows.own > 0)
    loss_sum = worker.model.backpropagate(pass, {pixels(rows), rows.own, features_}, rows.first, labels,
                                          gradient_scale, {.first = 0, .values = own_gradients_});
  else
    std::ranges::fill(own_gradients_, 0.0F);

  phases.enter(Phase::wait);
  barrier_.wait();

  phases.enter(Phase::compute);
  const std::size_t length = part_end_ - part_begin_;
  const std::span<float> parameters = parameters_.subspan(part_begin_, length);
  const std::span<float> gradients = worker.gradients.subspan(part_begin_, length);
  const auto plain = worker.optimizer.plain_step(learning_rate);
  const bool updates_at_once = plain && !allreduce_ && undivided_.empty();
  worker.model.add_divided_gradients(
      {pixels_, rows.all, features_},
      updates_at_once
          ? nn::GradientTarget{.first = part_begin_,
                               .values = parameters,
                               .scale = -plain->rate,
                               .keep = plain->keep}
          : nn::GradientTarget{.first = part_begin_, .values = gradients, .scale = 1.0F, .keep = 0.0F});
  if (!updates_at_once) {
    phases.enter(Phase::exchange);
    sum_own_gradients(worker.gradients);
    if (allreduce_) {
      phases.enter(Phase::wait);
      across_.barrier();
      phases.enter(Phase::exchange);
      allreduce_->sum(gradients);
    }
    phases.enter(Phase::update);
    worker.optimizer.begin_step();
    worker.optimizer.update(part_begin_, parameters, gradients, learning_rate);
  }

  phases.enter(Phase::wait);
  barrier_.wait();
  return loss_sum;
}

std::size_t SharedStep::sent_bytes(const Rows& rows) const {
  const std::size_t part = part_end_ - part_begin_;
  const std::size_t gradients = undivided_.empty() ? 0 : parameters_.size();
  return (rows.own * activations_per_row_ + gradients + part) * sizeof(float) +
         (allreduce_ ? allreduce_->sent_bytes(part) : 0);
}

}  // namespace lockstep::algorithms
