// SPDX-License-Identifier: BSD-3-Clause
// A chain of layers over one flat parameter array and one flat gradient array.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/aligned.hpp"
#include "core/json_fwd.hpp"
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

/// Tells when gradients are ready, during the backward pass: parameters [first, first + count), from the end
/// of the flat array to its beginning without gaps; pieces of layers that can be divided are of about
/// `piece_floats`.
struct GradientReady {
  std::size_t piece_floats = 0;
  std::function<void(std::size_t first, std::size_t count)> call;
};

/// The parameters of one layer in the flat array.
struct ParameterBlock {
  std::size_t begin = 0, count = 0;
  bool is_divided = false;  ///< see Model::divide
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
               const GradientTarget& target, const GradientReady* ready = nullptr);
  /// Makes the calls that train() makes to `ready`, and nothing else: for a rank without samples in a step.
  void announce(const GradientReady& ready) const;
  /// Forward without dropout.
  [[nodiscard]] Evaluation evaluate(ConstMatrix in, std::span<const std::uint8_t> labels);

  // For ranks that share memory, and so see the activations of each other's samples: instead of the gradient
  // of its own rows for all parameters, a rank can compute that of all rows for its part of the parameters;
  // and of the first layer's forward pass what its part contributes for all rows, instead of all for its own.

  /// Decides what is divided so in steps of up to `rows` samples that `ranks` ranks make together: of the
  /// layers that allow it those for which fewer floats go between the ranks this way. At first the gradients
  /// of all are, and the forward pass is not.
  void divide(std::size_t rows, std::size_t ranks);
  /// Floats a row of a contribution to the first layer's forward pass; 0 where that is not divided.
  [[nodiscard]] std::size_t contribution_width() const;
  /// What the parameters [first, first + count), of which some are the first layer's, contribute: [rows,
  /// contribution_width()] of `in`'s rows, of which only the columns input_columns() are read.
  void contribute(ConstMatrix in, std::size_t first, std::size_t count, Matrix contribution) const;
  /// As train(), but the target, any part of the parameters, receives the gradients of those layers alone
  /// whose gradient is not divided. With `contributions` of all parts, one row a sample, `in` is not read.
  double backpropagate(const Pass& pass, ConstMatrix in, std::span<const std::uint8_t> labels,
                       float gradient_scale, const GradientTarget& target,
                       std::span<const ConstMatrix> contributions = {});
  /// Floats that publish() needs for `rows` samples.
  [[nodiscard]] std::size_t published_floats(std::size_t rows) const;
  /// Copies what the divided gradients of the `own` samples just backpropagated depend on, inputs apart, to
  /// their place from first_row on in `memory`, which has room for `rows` samples and is read by others next.
  /// After streamed stores, simd::fence_streams() must come before they are told.
  void publish(std::span<float> memory, std::size_t rows, std::size_t first_row, std::size_t own,
               math::Stores stores) const;
  /// Adds the gradients of the layers whose gradient is divided, over the samples whose inputs are `in` and
  /// whose activations were published to `memory` with room for `rows`, to `target`: any part of the
  /// parameters that begins and ends where part_begin() allows.
  void add_divided_gradients(ConstMatrix in, std::span<float> memory, std::size_t rows,
                             const GradientTarget& target) const;
  /// The columns of `in` that such a part depends on.
  [[nodiscard]] std::pair<std::size_t, std::size_t> input_columns(std::size_t first, std::size_t count) const;
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
    AlignedVector<float> values, gradients;  // [max_batch, width]; the input's (buffer 0) stay empty
    AlignedVector<float> derivatives;        // [max_batch, width] of element-wise layers; empty without them
  };
  /// Where the published rows of a stage lie.
  struct Published {
    Matrix in, d_out;  // [rows, width]; `in` is empty for a stage that reads the model's input
  };

  void add_stage(std::unique_ptr<Layer> layer);
  void add_elementwise(std::unique_ptr<ElementwiseLayer> layer);
  std::size_t add_buffer(std::size_t width);
  void forward(const Pass& pass, ConstMatrix in, std::span<const ConstMatrix> contributions = {});
  /// Of the rows that forward() has computed; returns the summed loss.
  double differentiate_loss(std::size_t rows, std::span<const std::uint8_t> labels, float gradient_scale);
  void backward(const Pass& pass, ConstMatrix in, bool divided_too, const GradientTarget& target,
                const GradientReady* ready);
  /// Calls visit(first, count) for the pieces of a stage's parameters, from the end to the beginning.
  template <class Visit>
  static void for_pieces(const Stage& stage, std::size_t piece_floats, Visit visit);
  void add_gradient(const Stage& stage, ConstMatrix in, ConstMatrix d_out,
                    const GradientTarget& target) const;
  [[nodiscard]] Matrix values(std::size_t buffer, std::size_t rows);
  [[nodiscard]] Matrix gradients(std::size_t buffer, std::size_t rows);
  [[nodiscard]] ConstMatrix input_of(const Stage& stage, ConstMatrix in) const;
  /// The stage that reads the model's input.
  [[nodiscard]] const Stage& first_stage() const;
  /// Calls visit(stage, published) for the stages whose gradient is divided.
  template <class Visit>
  void for_published(std::span<float> memory, std::size_t rows, Visit visit) const;

  std::vector<Stage> stages_;
  std::vector<Buffer> buffers_;
  LossFunction* loss_ = nullptr;
  std::size_t max_batch_;
  std::size_t parameters_count_ = 0;
  bool forward_is_divided_ = false;
  std::span<float> parameters_;
};

/// A model by name: model_a, model_a_large, lenet5, mlp:N-...-N; or the path of a JSON file; or, as a JSON
/// object, itself. The description holds "layers", "loss" and, if the model is known to train well with
/// certain settings, "recipe", an object of configuration values that serve as defaults. Throws ConfigError.
[[nodiscard]] Json describe_model(const Json& name_or_description);

/// "model_a, model_a_large, ...", for help texts.
[[nodiscard]] std::string model_names();

}  // namespace lockstep::nn
