// SPDX-License-Identifier: BSD-3-Clause
// The layer interface and the table of layers.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/aligned.hpp"
#include "core/options.hpp"
#include "core/random.hpp"
#include "core/shape.hpp"
#include "core/work.hpp"
#include "math/gemm.hpp"
#include "math/matrix.hpp"

namespace lockstep::nn {

using math::ConstMatrix;
using math::Matrix;

/// Replaces numbers by their sums over all who train a batch together. They must all call it, equally often
/// and with as many numbers.
using SumOverRanks = std::function<void(std::span<double>)>;

/// A batch on its way through the model. Random numbers depend on (seed, epoch, sample, layer, unit) alone,
/// so they are the same however the samples are divided among ranks.
struct ForwardContext {
  bool training = false;  ///< false: evaluation, in which dropout does nothing
  std::uint32_t epoch = 0;
  std::span<const std::uint32_t> sample_ids = {};  ///< global id of each row; used in training alone
  /// For layers that depend on the whole batch, in training; null if the rows are the whole batch. With it, a
  /// rank without rows must take part, too.
  const SumOverRanks* sum_over_ranks = nullptr;
};

/// What a layer is made with.
struct LayerSetup {
  SampleShape in;           ///< of the only input, or of the first
  std::uint32_t index = 0;  ///< position in the model: separates the random numbers of its layers
  std::uint32_t seed = 0;
  const math::Gemm* gemm = nullptr;          ///< outlives the layer
  std::span<const SampleShape> inputs = {};  ///< of all inputs, for a layer that takes several
};

/// Where a layer's parameter gradient g goes: values = beta * values + scale * g, for the layer's parameters
/// [first, first + values.size()). With the parameters themselves as values this is a step of gradient
/// descent.
struct GradientTarget {
  std::size_t first = 0;
  std::span<float> values;
  float scale = 1.0F;
  float beta = 0.0F;  ///< 0: old values are not read
  /// Of large parts; what is small, such as a bias, may be stored as usual whatever is said here. After
  /// streamed stores, simd::fence_streams() must come before others read the values.
  math::Stores stores = math::Stores::cached;
};

/// A named array of a layer's parameters or state, row-major.
struct Tensor {
  std::string name;
  std::vector<std::size_t> shape;

  [[nodiscard]] std::size_t size() const;
};

/// What is known of a layer once it is made.
struct LayerTraits {
  std::vector<Tensor> parameters = {};  ///< one after another
  std::vector<Tensor> state = {};       ///< what is no parameter but changes in training
  bool only_reshapes = false;  ///< out is in, seen in another shape: forward and backward are never called
  bool backward_needs_out = false;  ///< backward reads `out`, which must then stay as forward left it
  bool depends_on_batch = false;    ///< in training a row's output depends on the other rows
};

/// The ways through a layer: `derivatives` is backward of the element-wise layers behind it alone, and
/// `update` a gradient that is added to what is there.
enum class Pass { forward, backward, derivatives, gradient, update };
[[nodiscard]] std::string_view name_of(Pass pass);

/// One step of a model's computation on a batch of B samples, one a row. Parameters and state live in memory
/// handed in by bind() and bind_state(); activations live in the model.
class Layer {
 public:
  virtual ~Layer() = default;

  [[nodiscard]] const SampleShape& in() const { return in_; }
  [[nodiscard]] const SampleShape& out() const { return out_; }
  [[nodiscard]] const LayerTraits& traits() const { return traits_; }
  [[nodiscard]] std::size_t parameter_count() const { return count(traits_.parameters); }
  [[nodiscard]] std::size_t state_count() const { return count(traits_.state); }

  /// Hands in parameter_count() floats.
  virtual void bind(std::span<float> /*parameters*/) {}
  /// Hands in state_count() floats. Training changes them in forward, and evaluation reads them.
  virtual void bind_state(std::span<float> /*state*/) {}
  /// Writes initial values into the bound parameters and state: a function of the seed and the layer's index.
  virtual void initialize() {}
  /// Allocates what batches of up to `max_batch` samples need.
  virtual void reserve(std::size_t /*max_batch*/) {}

  /// out [B, out().size()] from in [B, in().size()].
  virtual void forward(const ForwardContext& context, ConstMatrix in, Matrix out) = 0;
  /// d_in from d_out, the loss's derivative by `out`. `in` and `out` are those of the forward pass before.
  virtual void backward(const ForwardContext& context, ConstMatrix in, ConstMatrix out, ConstMatrix d_out,
                        Matrix d_in) = 0;
  /// The gradient of the parameters, summed over the rows of `in` and `d_out`, goes to `target`: of all
  /// parameters, or of a shard if the layer can be sharded. After backward, since the target may be the
  /// parameters.
  virtual void add_gradient(ConstMatrix /*in*/, ConstMatrix /*d_out*/, const GradientTarget& /*target*/) {}

  /// What a pass over `rows` samples costs. Bytes are those of inputs, outputs and parameters.
  [[nodiscard]] Cost cost(Pass pass, std::size_t rows) const;

  /// Appends the matrix products that one training step of `batch` samples makes; `needs_d_in` when backward
  /// is called.
  virtual void list_gemms(std::size_t /*batch*/, bool /*needs_d_in*/,
                          std::vector<math::GemmShape>& /*to*/) const {}

 protected:
  Layer(SampleShape in, SampleShape out, LayerTraits traits = {})
      : in_(in), out_(out), traits_(std::move(traits)) {}

  /// Floating-point operations of a pass over one sample.
  [[nodiscard]] virtual double flop(Pass /*pass*/) const { return static_cast<double>(out_.size()); }

 private:
  [[nodiscard]] static std::size_t count(const std::vector<Tensor>& tensors);

  SampleShape in_, out_;
  LayerTraits traits_;
};

/// A layer whose outputs each depend on one input. A model carries it out on the rows of the layer before it,
/// in place, and keeps no activations of it: backward only needs the derivatives.
class ElementwiseLayer : public Layer {
 public:
  /// values becomes f(values) for row `row` of the batch; derivatives[j] is multiplied by f'(values[j]),
  /// unless derivatives is empty.
  virtual void apply(const ForwardContext& context, std::size_t row, std::span<float> values,
                     std::span<float> derivatives) = 0;

  void reserve(std::size_t max_batch) final;
  void forward(const ForwardContext& context, ConstMatrix in, Matrix out) final;
  void backward(const ForwardContext& context, ConstMatrix in, ConstMatrix out, ConstMatrix d_out,
                Matrix d_in) final;

 protected:
  explicit ElementwiseLayer(SampleShape shape) : Layer(shape, shape) {}

 private:
  AlignedVector<float> derivatives_;  // [B, n], of the last training pass
};

/// A layer with several inputs.
class MergeLayer : public Layer {
 public:
  virtual void merge(const ForwardContext& context, std::span<const ConstMatrix> in, Matrix out) = 0;
  /// The gradient of each input; d_in[k] is empty where nobody wants it.
  virtual void split(const ForwardContext& context, std::span<const ConstMatrix> in, ConstMatrix d_out,
                     std::span<const Matrix> d_in) = 0;

  void forward(const ForwardContext& context, ConstMatrix in, Matrix out) final {
    merge(context, {&in, 1}, out);
  }
  void backward(const ForwardContext& context, ConstMatrix in, ConstMatrix /*out*/, ConstMatrix d_out,
                Matrix d_in) final {
    split(context, {&in, 1}, d_out, {&d_in, 1});
  }

 protected:
  using Layer::Layer;
};

/// A row's factory reads its options out of `description` (strictly: an unknown key is a ConfigError).
struct LayerRow {
  std::string_view name;
  std::string_view help;
  std::unique_ptr<Layer> (*make)(const LayerSetup& setup, const Json& description);
};

[[nodiscard]] std::span<const LayerRow> layer_table();
/// The layer that {"type": NAME, ...} describes; throws ConfigError.
[[nodiscard]] std::unique_ptr<Layer> make_layer(const LayerSetup& setup, const Json& description);

/// Takes all keys of `description` into `options`, but those that every layer has ("type", "name", "inputs");
/// throws ConfigError for one that is not there.
void read_options(const Json& description, Options& options);

}  // namespace lockstep::nn
