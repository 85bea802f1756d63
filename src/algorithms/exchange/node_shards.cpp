// SPDX-License-Identifier: BSD-3-Clause
// Parts of parameters, rows of samples, shared memory laid out.
#include "algorithms/exchange/node_shards.hpp"

#include <algorithm>

namespace lockstep::algorithms {
namespace {

constexpr std::size_t line_floats = cache_line_bytes / sizeof(float);
std::size_t whole_lines(std::size_t floats) { return (floats + line_floats - 1) / line_floats * line_floats; }

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

Part unsharded_part(const std::vector<nn::ShardedBlock>& blocks) {
  std::size_t begin = 0, end = 0;
  for (const nn::ShardedBlock& block : blocks) {
    if (block.is_sharded) continue;
    if (end == 0) begin = block.begin;
    end = block.begin + block.count;
  }
  return {begin, end - begin};
}

}  // namespace

Ownership::Ownership(const nn::ShardedModel& model, std::size_t rank, std::size_t ranks)
    : summed_(unsharded_part(model.blocks())) {
  std::size_t place = 0;
  for (const nn::ShardedBlock& block : model.blocks()) {
    const Part part = part_of(model, block, rank, ranks);
    owned_.push_back({block, part, place});
    place += part.count;
    const auto [first, last] = model.input_columns(part.begin, part.count);
    if (first < last) columns_ = {first, last};
  }
  for (std::size_t other = 0; other < ranks; ++other)
    first_parts_.push_back(part_of(model, owned_.front().block, other, ranks));
}

Distribution Ownership::distribution() const {
  Distribution distribution{.kind = Distribution::Kind::sharded};
  for (const Owned& owned : owned_)
    distribution.blocks.push_back({owned.block.begin, owned.block.count, owned.part.begin, owned.part.count});
  return distribution;
}

NodeSamples::NodeSamples(const data::Samples& samples, const data::BatchPlan& plan,
                         const comm::Communicator& ranks, const comm::Communicator& node)
    : samples_(samples),
      plan_(plan),
      members_(ranks.ranks_of(node)),
      rank_(node.rank()),
      most_rows_(rows(0).all),
      inputs_(most_rows_ * samples.inputs.width) {}

Rows NodeSamples::rows(std::size_t step) const {
  Rows rows;
  for (std::size_t i = 0; i < members_.size(); ++i) {
    const std::size_t count = plan_.samples_of(step, members_[i]).size();
    if (i < rank_) rows.first += count;
    if (i == rank_) rows.own = count;
    rows.all += count;
  }
  return rows;
}

void NodeSamples::gather_others(std::size_t step, data::Range columns) {
  if (columns.size() == 0) return;
  std::size_t row = 0;
  for (std::size_t i = 0; i < members_.size(); ++i) {
    const auto ids = plan_.samples_of(step, members_[i]);
    const Working working([&] { return data::gather_work(samples_, i == rank_ ? 0 : ids.size(), columns); });
    if (i != rank_ && working) {
      data::gather_columns(samples_, ids, columns,
                           {inputs_.data() + row * samples_.inputs.width, ids.size(), samples_.inputs.width});
      if (step + 1 < plan_.steps())
        data::prefetch(samples_, plan_.samples_of(step + 1, members_[i]), columns);
    }
    row += ids.size();
  }
}

NodeMemory::NodeMemory(const comm::Communicator& node, std::size_t parameters, std::size_t activations,
                       std::size_t gradients)
    : ranks_(node.size()),
      gradient_count_(gradients),
      window_(node, (whole_lines(parameters) + whole_lines(activations) + ranks_ * whole_lines(gradients)) *
                        sizeof(float)) {
  const std::span<float> all(reinterpret_cast<float*>(window_.bytes().data()),
                             window_.bytes().size() / sizeof(float));
  parameters_ = all.first(parameters);
  activations_ = all.subspan(whole_lines(parameters), activations);
  gradients_ = all.subspan(whole_lines(parameters) + whole_lines(activations));
}

}  // namespace lockstep::algorithms
