// SPDX-License-Identifier: BSD-3-Clause
// Runs batches through the nodes, forward and backward.
#include "nn/graph.hpp"

#include <algorithm>
#include <cassert>

namespace lockstep::nn {
namespace {

// inout[i] *= factors[i]
void multiply(std::span<float> inout, std::span<const float> factors) {
  float* __restrict to = inout.data();
  const float* __restrict from = factors.data();
  for (std::size_t i = 0; i < inout.size(); ++i) to[i] *= from[i];
}

// inout[i] += terms[i]
void add(std::span<float> inout, std::span<const float> terms) {
  float* __restrict to = inout.data();
  const float* __restrict from = terms.data();
  for (std::size_t i = 0; i < inout.size(); ++i) to[i] += from[i];
}

}  // namespace

Work Node::work(Pass pass, std::size_t rows, double share) const {
  Work work{.kernel = kernel + " " + std::string(name_of(pass)), .count = rows, .share = share};
  const auto add = [&](const Layer& part) {
    const Cost cost = part.cost(pass, rows);
    work.cost.flop += share * cost.flop;
    work.cost.bytes += share * cost.bytes;
  };
  if (layer && pass != Pass::derivatives) add(*layer);
  if (pass == Pass::forward || pass == Pass::backward || pass == Pass::derivatives)
    for (const auto& part : elementwise) add(*part);
  return work;
}

Matrix Graph::values(std::size_t buffer, std::size_t rows) {
  return {buffers_[buffer].values.data(), rows, buffers_[buffer].width};
}

Matrix Graph::gradients(std::size_t buffer, std::size_t rows) {
  return {buffers_[buffer].gradients.data(), rows, buffers_[buffer].width};
}

ConstMatrix Graph::output(std::size_t rows) const {
  return {buffers_[output_].values.data(), rows, buffers_[output_].width};
}

ConstMatrix Graph::input_of(const Node::Input& input, ConstMatrix in) const {
  const Buffer& buffer = buffers_[input.buffer];
  return input.buffer == 0 ? in : ConstMatrix(buffer.values.data(), in.rows, buffer.width);
}

std::span<const ConstMatrix> Graph::inputs_of(const Node& node, ConstMatrix in) {
  for (std::size_t k = 0; k < node.inputs.size(); ++k) in_[k] = input_of(node.inputs[k], in);
  return std::span(in_).first(node.inputs.size());
}

void Graph::forward(const ForwardContext& context, ConstMatrix in, std::span<const ConstMatrix> partials) {
  for (Node& node : nodes_) {
    if (in.rows == 0 && !(node.layer && node.layer->traits().depends_on_batch)) continue;
    const bool sums_partials = !partials.empty() && &node == &nodes_.front();
    const Working working([&] {
      const std::size_t floats = partials.size() * in.rows * buffers_[node.out].width;
      return sums_partials ? array_work(node_add, floats, 3) : node.work(Pass::forward, in.rows);
    });
    if (!working) continue;
    const Matrix out = values(node.out, in.rows);
    assert(out.size() <= buffers_[node.out].values.size());
    if (sums_partials)
      node.shardable->sum_partials(partials, out);
    else if (node.merge != nullptr)
      node.merge->merge(context, inputs_of(node, in), out);
    else if (node.layer)
      node.layer->forward(context, input_of(node.inputs.front(), in), out);
    else
      std::ranges::copy(input_of(node.inputs.front(), in).elements(), out.data);
    if (!node.elementwise.empty()) apply_elementwise(node, context, out);
  }
}

void Graph::apply_elementwise(Node& node, const ForwardContext& context, Matrix out) {
  float* const derivatives = buffers_[node.out].derivatives.data();
  for (std::size_t i = 0; i < out.rows; ++i) {
    const std::span<float> kept =
        context.training ? std::span(derivatives + i * out.cols, out.cols) : std::span<float>();
    std::ranges::fill(kept, 1.0F);
    for (const auto& layer : node.elementwise) layer->apply(context, i, out.row(i), kept);
  }
}

Work Graph::loss_work(std::size_t rows) const {
  const double floats = static_cast<double>(rows * buffers_[output_].width);
  return {
      .kernel = loss_kernel_, .count = rows, .cost = {.flop = floats, .bytes = 2 * sizeof(float) * floats}};
}

double Graph::differentiate_loss(std::span<const std::int32_t> targets, float gradient_scale) {
  const std::size_t rows = targets.size();
  const Working working([&] { return loss_work(rows); });
  if (!working) return 0.0;
  return loss_(output(rows), targets, gradient_scale, gradients(output_, rows));
}

void Graph::apply_derivatives(const Node& node, std::size_t rows) {
  if (node.elementwise.empty()) return;
  multiply(gradients(node.out, rows).elements(), buffers_[node.out].derivatives);
}

void Graph::pass_back(Node& node, const ForwardContext& context, ConstMatrix in) {
  if (in.rows == 0 && !(node.layer && node.layer->traits().depends_on_batch)) return;
  const bool passes_gradient = node.passes_gradient();
  const Pass pass = passes_gradient ? Pass::backward : Pass::derivatives;
  const Working working([&] { return node.work(pass, in.rows); });
  if (!working) return;
  apply_derivatives(node, in.rows);
  if (passes_gradient) pass_gradient(node, context, in);
}

void Graph::pass_gradient(Node& node, const ForwardContext& context, ConstMatrix in) {
  const ConstMatrix d_out = gradients(node.out, in.rows);
  float* apart = added_.data();
  for (std::size_t k = 0; k < node.inputs.size(); ++k) {
    const Node::Input& input = node.inputs[k];
    d_in_[k] = input.wants_gradient ? gradients(input.buffer, in.rows) : Matrix();
    if (!input.adds_gradient) continue;
    d_in_[k].data = apart;
    apart += d_in_[k].size();
  }
  if (node.merge != nullptr)
    node.merge->split(context, inputs_of(node, in), d_out, std::span(d_in_).first(node.inputs.size()));
  else if (node.layer)
    node.layer->backward(context, input_of(node.inputs.front(), in), values(node.out, in.rows), d_out,
                         d_in_.front());
  else
    std::ranges::copy(d_out.elements(), d_in_.front().data);
  for (std::size_t k = 0; k < node.inputs.size(); ++k)
    if (node.inputs[k].adds_gradient)
      add(gradients(node.inputs[k].buffer, in.rows).elements(), d_in_[k].elements());
}

void add_gradient(const Node& node, ConstMatrix in, ConstMatrix d_out, const GradientTarget& target) {
  const ParameterBlock& block = node.parameters;
  const std::size_t begin = std::max(block.begin, target.first);
  const std::size_t end = std::min(block.begin + block.count, target.first + target.values.size());
  if (begin >= end) return;
  const std::span<float> values = target.values.subspan(begin - target.first, end - begin);
  const Working working([&] {
    const double share = static_cast<double>(end - begin) / static_cast<double>(block.count);
    return node.work(target.beta == 0.0F ? Pass::gradient : Pass::update, in.rows, share);
  });
  if (!working) return;
  if (in.rows == 0) {  // no gradient: what is kept of the old values is all
    for (float& value : values) value = target.beta == 0.0F ? 0.0F : target.beta * value;
    return;
  }
  node.layer->add_gradient(in, d_out,
                           {.first = begin - block.begin,
                            .values = values,
                            .scale = target.scale,
                            .beta = target.beta,
                            .stores = target.stores});
}

}  // namespace lockstep::nn
