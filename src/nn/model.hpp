// SPDX-License-Identifier: BSD-3-Clause
// Layers over one flat parameter array and one flat gradient array.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "core/json_fwd.hpp"
#include "nn/graph.hpp"

namespace lockstep::nn {

/// What an evaluation found, summed over its samples.
struct Evaluation {
  double loss_sum = 0.0;
  std::size_t correct = 0;
};

/// Tells when gradients are ready, during the backward pass: parameters [first, first + count), from the end
/// of the flat array to its beginning without gaps; pieces of layers that can be cut are of about
/// `piece_floats`.
struct GradientReady {
  std::size_t piece_floats = 0;
  std::function<void(std::size_t first, std::size_t count)> call;
};

/// A layer's tensor in its place among the model's parameters, or its state.
struct ModelTensorPlace {
  std::string name;  ///< "linear1/weight"
  std::vector<std::size_t> shape;
  std::size_t begin = 0, count = 0;
  bool is_state = false;
};

/// A graph of layers with the loss at its end, for batches of up to max_batch samples. Parameters are the
/// caller's memory: parameter_count() floats, every layer's one after another. So is the layers' state, what
/// is no parameter but changes in training, such as the running statistics of a normalisation.
class Model {
 public:
  /// From a description (see build_graph); throws ConfigError.
  Model(const Json& description, const ModelSetup& setup);

  [[nodiscard]] std::size_t parameter_count() const { return graph_.parameter_count(); }
  [[nodiscard]] std::size_t state_count() const { return graph_.state_count(); }
  /// All tensors of all layers, parameters before state.
  [[nodiscard]] std::vector<ModelTensorPlace> tensors() const;
  /// True if what a sample contributes in training depends on the other samples of its batch.
  [[nodiscard]] bool depends_on_batch() const;

  /// Hands in the parameters and the layers' state; also to evaluate other values than those trained.
  void bind(std::span<float> parameters, std::span<float> layer_state = {});
  [[nodiscard]] std::span<float> parameters() const { return parameters_; }
  [[nodiscard]] std::span<float> layer_state() const { return layer_state_; }
  /// Writes the initial parameters of the seed and the initial state, the same on every rank.
  void initialize();

  /// Forward and backward: adds gradient_scale times the gradient of the summed loss of the examples to
  /// `target`, which is as long as the parameters, and returns that sum. Each layer's gradient is written
  /// after its input's gradient was computed, so the target may be the parameters themselves. Without
  /// examples it still calls context.sum_over_ranks and `ready` as often as other ranks do, with zeros. If
  /// the loss is not finite, the gradient is taken as zero, unless other ranks wait for those calls.
  double train(const ForwardContext& context, const Examples& examples, float gradient_scale,
               const GradientTarget& target, const GradientReady* ready = nullptr);
  /// Forward without dropout, by the running statistics.
  [[nodiscard]] Evaluation evaluate(const Examples& examples);

  /// The matrix products of one training step.
  [[nodiscard]] std::vector<math::GemmShape> gemms(std::size_t batch) const;

  /// For code that runs the layers in another way.
  [[nodiscard]] Graph& graph() { return graph_; }

 private:
  Graph graph_;
  std::span<float> parameters_, layer_state_;
};

/// A model by name: model_a, model_a_large, lenet5, resnet8, mlp:N-...-N; or the path of a JSON file; or, as
/// a JSON object, itself. The description holds "layers", "loss" and, if the model is known to train well
/// with certain settings, "recipe", an object of configuration values that serve as defaults. Throws
/// ConfigError.
[[nodiscard]] Json describe_model(const Json& name_or_description);

/// "model_a, model_a_large, ...", for help texts.
[[nodiscard]] std::string model_names();

}  // namespace lockstep::nn
