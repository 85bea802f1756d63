// SPDX-License-Identifier: BSD-3-Clause
// Training and evaluating batches.
#include "nn/model.hpp"

#include <algorithm>
#include <cassert>
#include <cmath>

namespace lockstep::nn {
namespace {

// Calls visit(first, count) for the pieces of a node's parameters, from the end to the beginning.
template <class Visit>
void for_pieces(const Node& node, std::size_t piece_floats, Visit visit) {
  const ParameterBlock& block = node.parameters;
  if (node.shardable == nullptr) return visit(block.begin, block.count);
  const std::size_t pieces = std::max<std::size_t>(1, block.count / piece_floats);
  for (std::size_t piece = pieces; piece-- > 0;) {
    const std::size_t begin = node.shardable->shard_begin(block.count * piece / pieces);
    const std::size_t end = node.shardable->shard_begin(block.count * (piece + 1) / pieces);
    if (begin < end) visit(block.begin + begin, end - begin);
  }
}

}  // namespace

Model::Model(const Json& description, const ModelSetup& setup) : graph_(build_graph(description, setup)) {}

std::vector<ModelTensorPlace> Model::tensors() const {
  std::vector<ModelTensorPlace> all;
  for (const bool is_state : {false, true})
    for (const Node& node : graph_.nodes()) {
      if (!node.layer) continue;
      std::size_t begin = is_state ? node.state.begin : node.parameters.begin;
      for (const Tensor& tensor : is_state ? node.layer->traits().state : node.layer->traits().parameters) {
        all.push_back({node.name + "/" + tensor.name, tensor.shape, begin, tensor.size(), is_state});
        begin += tensor.size();
      }
    }
  return all;
}

bool Model::depends_on_batch() const {
  return std::ranges::any_of(
      graph_.nodes(), [](const Node& node) { return node.layer && node.layer->traits().depends_on_batch; });
}

void Model::bind(std::span<float> parameters, std::span<float> layer_state) {
  assert(parameters.size() == parameter_count() && layer_state.size() == state_count());
  parameters_ = parameters;
  layer_state_ = layer_state;
  for (const Node& node : graph_.nodes()) {
    if (node.parameters.count > 0)
      node.layer->bind(parameters.subspan(node.parameters.begin, node.parameters.count));
    if (node.state.count > 0) node.layer->bind_state(layer_state.subspan(node.state.begin, node.state.count));
  }
}

void Model::initialize() {
  for (const Node& node : graph_.nodes())
    if (node.layer) node.layer->initialize();
}

double Model::train(const ForwardContext& context, const Examples& examples, float gradient_scale,
                    const GradientTarget& target, const GradientReady* ready) {
  assert(target.values.size() == parameter_count());
  graph_.forward(context, examples.inputs);
  const double loss_sum = graph_.differentiate_loss(examples.targets, gradient_scale);
  // Nothing can be learned from such a loss, and the parameters show what was wrong with them. Where others
  // count on calls of the backward pass it is made.
  if (!std::isfinite(loss_sum) && ready == nullptr && context.sum_over_ranks == nullptr) {
    if (target.beta == 0.0F) std::ranges::fill(target.values, 0.0F);
    return loss_sum;
  }
  graph_.backward(context, examples.inputs, [&](const Node& node, ConstMatrix node_in, ConstMatrix d_out) {
    if (ready == nullptr) return add_gradient(node, node_in, d_out, target);
    for_pieces(node, ready->piece_floats, [&](std::size_t first, std::size_t count) {
      GradientTarget part = target;
      part.first = first;
      part.values = target.values.subspan(first - target.first, count);
      add_gradient(node, node_in, d_out, part);
      ready->call(first, count);
    });
  });
  return loss_sum;
}

Evaluation Model::evaluate(const Examples& examples) {
  graph_.forward({}, examples.inputs);
  const ConstMatrix out = graph_.output(examples.inputs.rows);
  const Working working([&] { return graph_.loss_work(out.rows); });
  if (!working) return {};
  return {.loss_sum = graph_.loss()(out, examples.targets, 1.0F, {}),
          .correct = count_correct(out, examples.targets)};
}

std::vector<math::GemmShape> Model::gemms(std::size_t batch) const {
  std::vector<math::GemmShape> shapes;
  for (const Node& node : graph_.nodes())
    if (node.layer) node.layer->list_gemms(batch, node.passes_gradient(), shapes);
  return shapes;
}

}  // namespace lockstep::nn
