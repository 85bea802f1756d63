// SPDX-License-Identifier: BSD-3-Clause
// A model's layers as nodes that read and write values, and the two ways through them.
#pragma once

#include <memory>
#include <span>
#include <vector>

#include "core/aligned.hpp"
#include "core/json_fwd.hpp"
#include "nn/layer.hpp"
#include "nn/loss.hpp"
#include "nn/shardable_layer.hpp"

namespace lockstep::nn {

/// What a model is made with.
struct ModelSetup {
  SampleShape input;
  std::size_t classes = 0;
  std::uint32_t seed = 0;
  std::size_t max_batch = 0;
  const math::Gemm* gemm = nullptr;  ///< outlives the model
  std::string_view gemm_name = {};   ///< its row's, for the names of kernels
};

/// A piece of a flat array: the parameters of one layer, or its state.
struct ParameterBlock {
  std::size_t begin = 0, count = 0;
};

/// A value between layers, one row a sample, with the loss's derivative by it. Buffer 0 is the model's input,
/// which lies elsewhere and has no gradient.
struct Buffer {
  std::size_t width = 0;
  AlignedVector<float> values, gradients;  // [max_batch, width]
  AlignedVector<float> derivatives;        // [max_batch, width], of element-wise layers; empty without them
};

/// A layer in its place, and the element-wise layers that change its output in place.
struct Node {
  struct Input {
    std::size_t buffer = 0;
    bool wants_gradient = false;  // something that the value depends on has parameters
    bool adds_gradient = false;  // a node behind this one has read the value too, and has stored its gradient
  };

  std::string name;
  std::unique_ptr<Layer> layer;         // nullptr: element-wise layers that work on a copy
  MergeLayer* merge = nullptr;          // the layer, if it is one
  ShardableLayer* shardable = nullptr;  // the layer, if it is one
  std::vector<std::unique_ptr<ElementwiseLayer>> elementwise;
  std::vector<Input> inputs;
  std::size_t out = 0;  // buffer
  ParameterBlock parameters, state;
  std::string kernel;  // its layers as a kernel's name: "linear 784>256 + relu"

  [[nodiscard]] bool passes_gradient() const {
    for (const Input& input : inputs)
      if (input.wants_gradient) return true;
    return false;
  }
  [[nodiscard]] Work work(Pass pass, std::size_t rows, double share = 1.0) const;
};

/// Nodes in an order in which each reads what stands before it, with the values between them for batches of
/// up to max_batch samples. Element-wise layers are carried out in place on the rows of the node whose output
/// they alone read: those rows are then still in the cache, and of the derivatives one product is kept. A
/// value that is read more than once has the sum of its readers' gradients. Nothing is allocated in a pass.
class Graph {
 public:
  [[nodiscard]] std::span<const Node> nodes() const { return nodes_; }
  [[nodiscard]] const Buffer& buffer(std::size_t index) const { return buffers_[index]; }
  [[nodiscard]] std::size_t parameter_count() const { return parameter_count_; }
  [[nodiscard]] std::size_t state_count() const { return state_count_; }
  /// The first `rows` of what the last node wrote.
  [[nodiscard]] ConstMatrix output(std::size_t rows) const;
  [[nodiscard]] LossFunction* loss() const { return loss_; }
  [[nodiscard]] Work loss_work(std::size_t rows) const;

  /// With `partials` the first node's output is their sum, and `in` is not read. Without rows only layers
  /// that depend on the whole batch are called.
  void forward(const ForwardContext& context, ConstMatrix in, std::span<const ConstMatrix> partials = {});
  /// Of the output, one row a target; returns the summed loss.
  double differentiate_loss(std::span<const std::int32_t> targets, float gradient_scale);
  /// From the loss's derivative to the values'. Calls take(node, in, d_out) for each node with parameters,
  /// from the last to the first, when the gradient of its inputs is there.
  template <class Take>
  void backward(const ForwardContext& context, ConstMatrix in, Take take) {
    for (std::size_t i = nodes_.size(); i-- > 0;) {
      Node& node = nodes_[i];
      const bool passes_gradient = node.passes_gradient();
      if (node.parameters.count == 0 && !passes_gradient) continue;  // nothing to learn here or before
      if (passes_gradient || !node.elementwise.empty()) pass_back(node, context, in);
      if (node.parameters.count > 0)
        take(node, input_of(node.inputs.front(), in), ConstMatrix(gradients(node.out, in.rows)));
    }
  }

 private:
  friend class GraphBuilder;

  [[nodiscard]] Matrix values(std::size_t buffer, std::size_t rows);
  [[nodiscard]] Matrix gradients(std::size_t buffer, std::size_t rows);
  [[nodiscard]] ConstMatrix input_of(const Node::Input& input, ConstMatrix in) const;
  [[nodiscard]] std::span<const ConstMatrix> inputs_of(const Node& node, ConstMatrix in);
  void apply_elementwise(Node& node, const ForwardContext& context, Matrix out);
  void apply_derivatives(const Node& node, std::size_t rows);
  void pass_gradient(Node& node, const ForwardContext& context, ConstMatrix in);
  void pass_back(Node& node, const ForwardContext& context, ConstMatrix in);

  std::vector<Node> nodes_;
  std::vector<Buffer> buffers_;
  std::size_t output_ = 0;  // buffer
  std::size_t parameter_count_ = 0, state_count_ = 0;
  LossFunction* loss_ = nullptr;
  std::string loss_kernel_;
  // Of one node at a time:
  std::vector<ConstMatrix> in_;
  std::vector<Matrix> d_in_;
  AlignedVector<float> added_;  // gradients to be added to those that are there
};

/// The graph of a description {"layers": [{"type": ..., "name": ..., "inputs": [...]}, ...], "loss": NAME}.
/// Throws ConfigError.
[[nodiscard]] Graph build_graph(const Json& description, const ModelSetup& setup);

/// The gradient of a node's parameters, of those that `target` has: a part of the model's whole array.
void add_gradient(const Node& node, ConstMatrix in, ConstMatrix d_out, const GradientTarget& target);

}  // namespace lockstep::nn
