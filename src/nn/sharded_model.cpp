// SPDX-License-Identifier: BSD-3-Clause
// What is sharded, and the parts of a step.
#include "nn/sharded_model.hpp"

#include <algorithm>
#include <cassert>

#include "core/simd.hpp"

namespace lockstep::nn {
namespace {

constexpr std::size_t line_floats = cache_line_bytes / sizeof(float);
std::size_t whole_lines(std::size_t floats) { return (floats + line_floats - 1) / line_floats * line_floats; }

// The overlap of a node's parameters with [first, first + count), counted from the node's first.
ParameterBlock overlap(const Node& node, std::size_t first, std::size_t count) {
  const ParameterBlock& block = node.parameters;
  const std::size_t begin = std::max(first, block.begin);
  const std::size_t end = std::max(begin, std::min(first + count, block.begin + block.count));
  return {begin - block.begin, end - begin};
}

}  // namespace

ShardedModel::ShardedModel(Model& model, std::size_t rows, std::size_t shards)
    : graph_(model.graph()), is_sharded_(graph_.nodes().size()) {
  // A rank gathers of others' samples only what its shards read, so whoever else reads the input would find
  // gaps: then no layer that reads it is sharded.
  const auto input_readers = std::ranges::count_if(graph_.nodes(), [](const Node& node) {
    return std::ranges::any_of(node.inputs, [](const Node::Input& input) { return input.buffer == 0; });
  });
  const std::size_t own_rows = (rows + shards - 1) / shards;
  for (std::size_t i = 0; i < is_sharded_.size(); ++i) {
    const Node& node = graph_.nodes()[i];
    const std::size_t count = node.parameters.count;
    if (node.shardable == nullptr || (reads_input(node) && input_readers > 1)) continue;
    const std::size_t out_width = graph_.buffer(node.out).width;
    const std::size_t in_width = reads_input(node) ? 0 : graph_.buffer(node.inputs.front().buffer).width;
    is_sharded_[i] = own_rows * (in_width + out_width) <= count;
    // Partial results are written and read; parameters that others have changed are read.
    if (reads_input(node) && is_sharded_[i] && shards > 1 && 2 * rows * out_width < count)
      partial_width_ = out_width;
  }
}

bool ShardedModel::is_sharded(const Node& node) const {
  return is_sharded_[static_cast<std::size_t>(&node - graph_.nodes().data())];
}

std::vector<ShardedBlock> ShardedModel::blocks() const {
  std::vector<ShardedBlock> blocks;
  for (const Node& node : graph_.nodes())
    if (node.parameters.count > 0)
      blocks.push_back({node.parameters.begin, node.parameters.count, is_sharded(node)});
  return blocks;
}

std::size_t ShardedModel::shard_begin(std::size_t parameter) const {
  for (const Node& node : graph_.nodes()) {
    const ParameterBlock& block = node.parameters;
    if (parameter >= block.begin + block.count) continue;
    return node.shardable == nullptr ? parameter
                                     : block.begin + node.shardable->shard_begin(parameter - block.begin);
  }
  return graph_.parameter_count();
}

std::pair<std::size_t, std::size_t> ShardedModel::input_columns(std::size_t first, std::size_t count) const {
  for (const Node& node : graph_.nodes()) {
    const ParameterBlock shard = overlap(node, first, count);
    if (is_sharded(node) && reads_input(node) && shard.count > 0)
      return node.shardable->input_columns(shard.begin, shard.count);
  }
  return {0, 0};
}

void ShardedModel::forward_partial(ConstMatrix in, std::size_t first, std::size_t count,
                                   Matrix partial) const {
  const Node& node = graph_.nodes().front();
  const ParameterBlock shard = overlap(node, first, count);
  const Working working([&] {
    const double share = static_cast<double>(shard.count) / static_cast<double>(node.parameters.count);
    return node.work(Pass::forward, in.rows, share);
  });
  if (working) node.shardable->forward_partial(in, shard.begin, shard.count, partial);
}

double ShardedModel::backpropagate(const ForwardContext& context, const Examples& examples,
                                   float gradient_scale, const GradientTarget& target,
                                   std::span<const ConstMatrix> partials) {
  graph_.forward(context, examples.inputs, partials);
  const double loss_sum = graph_.differentiate_loss(examples.targets, gradient_scale);
  graph_.backward(context, examples.inputs, [&](const Node& node, ConstMatrix node_in, ConstMatrix d_out) {
    if (!is_sharded(node)) add_gradient(node, node_in, d_out, target);
  });
  return loss_sum;
}

template <class Visit>
void ShardedModel::for_shared(std::span<float> memory, std::size_t rows, Visit visit) const {
  float* at = memory.data();
  const auto take = [&](std::size_t width) {
    const Matrix taken(at, rows, width);
    at += whole_lines(rows * width);
    return taken;
  };
  for (const Node& node : graph_.nodes()) {
    if (!is_sharded(node)) continue;
    SharedRows shared;
    if (!reads_input(node)) shared.in = take(graph_.buffer(node.inputs.front().buffer).width);
    shared.d_out = take(graph_.buffer(node.out).width);
    visit(node, shared);
  }
}

std::size_t ShardedModel::shared_floats(std::size_t rows) const {
  std::size_t floats = 0;
  for_shared({}, rows, [&](const Node&, const SharedRows& shared) {
    floats += whole_lines(shared.in.size()) + whole_lines(shared.d_out.size());
  });
  return floats;
}

void ShardedModel::share_activations(std::span<float> memory, std::size_t rows, std::size_t first_row,
                                     std::size_t own, math::Stores stores) const {
  assert(memory.size() >= shared_floats(rows) && first_row + own <= rows);
  for_shared(memory, rows, [&](const Node& node, const SharedRows& to) {
    const auto copy = [&](const AlignedVector<float>& from, const Matrix& all) {
      const Working working([&] { return array_work(node_copy, own * all.cols, 2); });
      if (!working) return;
      float* const place = all.data + first_row * all.cols;
      if (stores == math::Stores::streamed)
        simd::stream_copy(from.data(), own * all.cols, place);
      else
        std::copy_n(from.data(), own * all.cols, place);
    };
    if (!reads_input(node)) copy(graph_.buffer(node.inputs.front().buffer).values, to.in);
    copy(graph_.buffer(node.out).gradients, to.d_out);
  });
}

void ShardedModel::add_sharded_gradients(ConstMatrix in, std::span<float> memory, std::size_t rows,
                                         const GradientTarget& target) const {
  assert(in.rows <= rows);
  const auto first = [&](Matrix all) { return ConstMatrix(all.data, in.rows, all.cols); };
  for_shared(memory, rows, [&](const Node& node, const SharedRows& from) {
    add_gradient(node, reads_input(node) ? in : first(from.in), first(from.d_out), target);
  });
}

}  // namespace lockstep::nn
