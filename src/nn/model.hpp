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

/// Layers in order, the loss at their end, and buffers for batches of up to max_batch samples. Parameters and
/// gradients are the caller's memory: parameter_count() floats each, every layer's one after another.
class Model {
 public:
  /// From a description {"layers": [{"type": ...}, ...], "loss": NAME}; throws ConfigError.
  Model(const Json& description, const ModelSetup& setup);

  [[nodiscard]] std::size_t parameter_count() const { return parameter_count_; }
  /// Hands in the arrays; also to evaluate other parameters than those trained.
  void bind(std::span<float> parameters, std::span<float> gradients);
  /// Writes the initial parameters of the seed, the same on every rank.
  void initialize();

  /// Forward and backward: sets the gradients to gradient_scale times the gradient of the summed loss of the
  /// batch in [B, input] with labels [B], and returns that sum.
  double train(const Pass& pass, ConstMatrix in, std::span<const std::uint8_t> labels, float gradient_scale);
  /// Forward without dropout.
  [[nodiscard]] Evaluation evaluate(ConstMatrix in, std::span<const std::uint8_t> labels);

  /// The matrix products of one training step.
  [[nodiscard]] std::vector<math::GemmShape> gemms(std::size_t batch) const;

 private:
  struct Stage {
    std::unique_ptr<Layer> layer;
    std::size_t in = 0, out = 0;   // buffers that it reads and writes; equal for a layer that only reshapes
    bool passes_gradient = false;  // something before it has parameters, so its input's gradient is wanted
  };
  struct Buffer {
    std::size_t width = 0;
    AlignedVector<float> values, gradients;  // [max_batch, width]; the input's (buffer 0) stay empty
  };

  void forward(const Pass& pass, ConstMatrix in);
  [[nodiscard]] ConstMatrix values(std::size_t buffer, ConstMatrix in) const;
  [[nodiscard]] Matrix gradients(std::size_t buffer, std::size_t rows);

  std::vector<Stage> stages_;
  std::vector<Buffer> buffers_;
  LossFunction* loss_ = nullptr;
  std::size_t max_batch_;
  std::size_t parameter_count_ = 0;
};

/// A model by name: model_a, model_a_large, lenet5, mlp:N-...-N; or the path of a JSON file; or, as a JSON
/// object, itself. The description holds "layers", "loss" and, if the model is known to train well with
/// certain settings, "recipe", an object of configuration values that serve as defaults. Throws ConfigError.
[[nodiscard]] Json describe_model(const Json& name_or_description);

/// "model_a, model_a_large, ...", for help texts.
[[nodiscard]] std::string model_names();

}  // namespace lockstep::nn
