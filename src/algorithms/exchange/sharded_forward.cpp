// SPDX-License-Identifier: BSD-3-Clause
// Contributions computed in private memory, then copied for others.
#include "algorithms/exchange/sharded_forward.hpp"

#include <algorithm>

#include "core/simd.hpp"

namespace lockstep::algorithms {

ShardedForward::ShardedForward(const nn::ShardedModel& model, const comm::Communicator& node,
                               const std::vector<Part>& parts, std::size_t largest_rows)
    : width_(model.partial_width()),
      largest_rows_(largest_rows),
      rank_(node.rank()),
      part_(parts[rank_]),
      window_(node, node.size() * largest_rows * width_ * sizeof(float)) {
  for (std::size_t rank = 0; rank < parts.size(); ++rank) {
    if (parts[rank].count > 0) owners_.push_back(rank);
  }
  if (part_.count > 0) own_.resize(largest_rows * width_);
  contributions_.resize(owners_.size());
}

math::Matrix ShardedForward::published(std::size_t rank) const {
  return {reinterpret_cast<float*>(window_.bytes().data()) + rank * largest_rows_ * width_, largest_rows_,
          width_};
}

void ShardedForward::contribute(const TrainingContext& context, const nn::ShardedModel& model,
                                math::ConstMatrix in, const Rows& rows, math::Stores stores) {
  if (own_.empty()) return;
  context.phases.enter(Phase::compute);
  model.forward_partial(in, part_.begin, part_.count, {own_.data(), rows.all, width_});
  context.phases.enter(Phase::exchange);
  const auto publish = [&](std::size_t begin, std::size_t end) {
    const Working working([&] { return array_work(node_copy, (end - begin) * width_, 2); });
    if (!working) return;
    const float* const from = own_.data() + begin * width_;
    float* const to = published(rank_).row(begin).data();
    if (stores == math::Stores::streamed)
      simd::stream_copy(from, (end - begin) * width_, to);
    else
      std::copy_n(from, (end - begin) * width_, to);
  };
  publish(0, rows.first);
  publish(rows.first + rows.own, rows.all);
}

std::span<const math::ConstMatrix> ShardedForward::contributions(const Rows& rows) {
  for (std::size_t i = 0; i < owners_.size(); ++i) {
    const float* const all = owners_[i] == rank_ ? own_.data() : published(owners_[i]).data;
    contributions_[i] = {all + rows.first * width_, rows.own, width_};
  }
  return contributions_;
}

}  // namespace lockstep::algorithms
