// SPDX-License-Identifier: BSD-3-Clause
// A chain of layers over one flat parameter array and one flat gradient array.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "core/aligned.hpp"
#include "core/fields.hpp"
#include "nn/layer.hpp"
#include "nn/loss.hpp"

namespace lockstep::nn {

/// What an evaluation found, summed over its samples.
struct Evaluation {
  double loss_sum = 0.0;
  std::size_t correct = 0;
};

/// What a model is made with.
struct ModelSetup {
  SampleShape input;
  std::size_t classes = 0;
  std::uint32_t seed = 0;
  std::size_t max_batch = 0;
  const math::Gemm* gemm = nullptr;  ///< outlives the model
};

/// The parameters of one layer in the flat array.
struct ParameterBlock {
  std::size_t begin = 0, count = 0;
  bool gradient_divides = false;  ///< see Layer::gradient_divides
};

/// Layers in order, the loss at their end, and activations for batches of up to max_batch samples. Parameters
/// are the caller's memory: parameter_count() floats, every layer's one after another. Element-wise layers
/// are carried out in place on the rows of the layer before them, which are then still in the cache; of their
/// derivatives one product is kept.
class Model {
 public:
  /// From a description {"layers": [{"type": ...}, ...], "loss": NAME}; throws ConfigError.
  Model(const Json& description, const ModelSetup& setup);

  [[nodiscard]] std::size_t parameter_count() const { return parameters_count_; }
  [[nodiscard]] std::vector<ParameterBlock> parameter_blocks() const;
  /// Hands in the parameters; also to evaluate others than those trained.
  void bind(std::span<float> parameters);
  [[nodiscard]] std::span<float> parameters() const { return parameters_; }
  /// Writes the initial parameters of the seed, the same on every rank.
  void initialize();

  /// Forward and backward: adds gradient_scale times the gradient of the summed loss of the batch in [B,
  /// input] with labels [B] to `target`, which is as long as the parameters, and returns that sum. Each
  /// layer's gradient is written after its input's gradient was computed, so the target may be the parameters
  /// themselves.
  double train(const Pass& pass, ConstMatrix in, std::span<const std::uint8_t> labels, float gradient_scale,
               const GradientTarget& target);
  /// Forward without dropout.
  [[nodiscard]] Evaluation evaluate(ConstMatrix in, std::span<const std::uint8_t> labels);

  // For ranks that share memory, and so see the activations of each other's samples: instead of the gradient
  // of its own rows for all parameters, a rank can compute that of all rows for its part of the parameters.

  /// Floats that the activations of `rows` samples take.
  [[nodiscard]] std::size_t activation_floats(std::size_t rows) const;
  /// The activations of backpropagate() will lie in `memory`, activation_floats(rows) floats that several
  /// ranks share.
  void share_activations(std::span<float> memory, std::size_t rows);
  /// As train(), of samples whose activations become the rows from first_row on. The target receives
  /// gradients of the layers whose gradient does not divide alone.
  double backpropagate(const Pass& pass, ConstMatrix in, std::size_t first_row,
                       std::span<const std::uint8_t> labels, float gradient_scale,
                       const GradientTarget& target);
  /// Adds the gradients of the layers whose gradient divides, over the rows that were backpropagated by all
  /// ranks (inputs in [rows, input]), to `target`: any part of the parameters that begins and ends where
  /// part_begin() allows.
  void add_divided_gradients(ConstMatrix in, const GradientTarget& target);
  /// The first parameter at or after `parameter` at which a part may begin.
  [[nodiscard]] std::size_t part_begin(std::size_t parameter) const;

  /// The matrix products of one training step.
  [[nodiscard]] std::vector<math::GemmShape> gemms(std::size_t batch) const;

 private:
  struct Stage {
    std::unique_ptr<Layer> layer;  // none: element-wise layers that work on a copy
    std::vector<std::unique_ptr<ElementwiseLayer>> elementwise;
    std::size_t in = 0, out = 0;   // buffers that it reads and writes; equal for a layer that only reshapes
    bool passes_gradient = false;  // something before it has parameters, so its input's gradient is wanted
    ParameterBlock parameters;
  };
  struct Buffer {
    std::size_t width = 0;
    float* values = nullptr;     // [max_batch, width]; the input's (buffer 0) stays null
    float* gradients = nullptr;  // [max_batch, width]
    AlignedVector<float>
        derivatives;  // [max_batch, width], of the element-wise layers; empty where there are none
  };

  void add_stage(std::unique_ptr<Layer> layer);
  void add_elementwise(std::unique_ptr<ElementwiseLayer> layer);
  std::size_t add_buffer(std::size_t width);
  /// Lets all buffers lie in `memory`, for up to `rows` samples.
  void place_activations(std::span<float> memory, std::size_t rows);
  void use_own_activations() { place_activations(own_activations_, max_batch_); }
  void use_shared_activations() { place_activations(shared_activations_, shared_rows_); }

  void forward(const Pass& pass, ConstMatrix in);
  void backward(const Pass& pass, ConstMatrix in, bool divided_too, const GradientTarget& target);
  void add_gradient(const Stage& stage, ConstMatrix in, ConstMatrix d_out,
                    const GradientTarget& target) const;
  [[nodiscard]] Matrix values(std::size_t buffer, std::size_t rows) const;
  [[nodiscard]] Matrix gradients(std::size_t buffer, std::size_t rows) const;
  [[nodiscard]] ConstMatrix input_of(const Stage& stage, ConstMatrix in) const;

  std::vector<Stage> stages_;
  std::vector<Buffer> buffers_;
  LossFunction* loss_ = nullptr;
  std::size_t max_batch_;
  std::size_t first_row_ = 0;  // of the samples at work
  std::size_t parameters_count_ = 0;
  std::span<float> parameters_;
  AlignedVector<float> own_activations_;
  std::span<float> shared_activations_;
  std::size_t shared_rows_ = 0;
};

/// A model by name: model_a, model_a_large, lenet5, mlp:N-...-N; or the path of a JSON file; or, as a JSON
/// object, itself. The description holds "layers", "loss" and, if the model is known to train well with
/// certain settings, "recipe", an object of configuration values that serve as defaults. Throws ConfigError.
[[nodiscard]] Json describe_model(const Json& name_or_description);

/// "model_a, model_a_large, ...", for help texts.
[[nodiscard]] std::string model_names();

}  // namespace lockstep::nn
