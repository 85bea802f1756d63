// SPDX-License-Identifier: BSD-3-Clause
// A training step shared by parameters, among ranks that see the activations of each other's samples.
#pragma once

#include <span>
#include <utility>
#include <vector>

#include "nn/model.hpp"

namespace lockstep::nn {

/// The parameters of one layer in the flat array.
struct ShardedBlock {
  std::size_t begin = 0, count = 0;
  bool is_sharded = false;  ///< its gradient is computed shard by shard
};

/// A model whose steps are shared by `shards` ranks. A rank computes the gradient of its shard of a layer's
/// parameters over all rows, instead of the gradient of all parameters over its own rows. In the forward pass
/// of the first layer it computes its shard's part of all rows. A layer is sharded if it can be, and if this
/// moves fewer floats between the ranks.
class ShardedModel {
 public:
  /// For steps of up to `rows` samples that all ranks make together. The model is used, and outlives this.
  ShardedModel(Model& model, std::size_t rows, std::size_t shards);

  /// One a layer that has parameters.
  [[nodiscard]] std::vector<ShardedBlock> blocks() const;
  /// The first parameter at or after `parameter` at which a shard may begin.
  [[nodiscard]] std::size_t shard_begin(std::size_t parameter) const;
  /// The columns of the model's input that the parameters [first, first + count) depend on, where sharded.
  [[nodiscard]] std::pair<std::size_t, std::size_t> input_columns(std::size_t first, std::size_t count) const;

  /// Floats a row of a partial result of the first layer's forward pass; 0 where that is not sharded.
  [[nodiscard]] std::size_t partial_width() const { return partial_width_; }
  /// What the first layer's parameters in [first, first + count) add to its outputs: [rows, partial_width()]
  /// of `in`'s rows. Reads only the columns input_columns() of `in`.
  void forward_partial(ConstMatrix in, std::size_t first, std::size_t count, Matrix partial) const;
  /// As Model::train, but the target, any part of the parameters, receives the gradients of those layers
  /// alone that are not sharded. With `partials` of all shards, one row a sample, the inputs are not read.
  double backpropagate(const ForwardContext& context, const Examples& examples, float gradient_scale,
                       const GradientTarget& target, std::span<const ConstMatrix> partials = {});

  /// Floats that share_activations() needs for `rows` samples.
  [[nodiscard]] std::size_t shared_floats(std::size_t rows) const;
  /// Copies what the sharded gradients of the `own` samples just backpropagated depend on, inputs apart, to
  /// their place from first_row on in `memory`, which has room for `rows` samples and is read by others next.
  /// After streamed stores, simd::fence_streams() must come before the others may read.
  void share_activations(std::span<float> memory, std::size_t rows, std::size_t first_row, std::size_t own,
                         math::Stores stores) const;
  /// Adds the gradients of the sharded layers, over the samples whose inputs are `in` and whose activations
  /// were shared in `memory` with room for `rows`, to `target`: any part of the parameters that begins and
  /// ends where shard_begin() allows.
  void add_sharded_gradients(ConstMatrix in, std::span<float> memory, std::size_t rows,
                             const GradientTarget& target) const;

 private:
  /// Where the shared rows of a node lie.
  struct SharedRows {
    Matrix in, d_out;  // [rows, width]; `in` is empty for a node that reads the model's input
  };
  /// Calls visit(node, shared rows) for the sharded nodes.
  template <class Visit>
  void for_shared(std::span<float> memory, std::size_t rows, Visit visit) const;
  [[nodiscard]] bool is_sharded(const Node& node) const;
  [[nodiscard]] static bool reads_input(const Node& node) { return node.inputs.front().buffer == 0; }

  Graph& graph_;
  std::vector<bool> is_sharded_;  // one a node
  std::size_t partial_width_ = 0;
};

}  // namespace lockstep::nn
