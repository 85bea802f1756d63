// SPDX-License-Identifier: BSD-3-Clause
// The layer interface and the table of layers.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/aligned.hpp"
#include "core/fields.hpp"
#include "core/random.hpp"
#include "core/shape.hpp"
#include "math/gemm.hpp"
#include "math/matrix.hpp"

namespace lockstep::nn {

using math::ConstMatrix;
using math::Matrix;

/// One pass of a batch through the model. The random numbers of a pass depend on (seed, epoch, sample, layer,
/// unit) alone, so they are the same however the samples are divided among ranks.
struct Pass {
  bool training = false;  ///< false: evaluation, in which dropout does nothing
  std::uint32_t epoch = 0;
  std::span<const std::uint32_t> sample_ids;  ///< global id of each row; used in training alone
};

/// What a layer is made with.
struct LayerSetup {
  SampleShape in;
  std::uint32_t index = 0;  ///< position in the model: separates the random numbers of its layers
  std::uint32_t seed = 0;
  const math::Gemm* gemm = nullptr;  ///< outlives the layer
};

/// Where a layer's parameter gradient g goes: values = keep * values + scale * g, for the layer's parameters
/// [first, first + values.size()). With the parameters themselves as values this is a step of gradient
/// descent.
struct GradientTarget {
  std::size_t first = 0;
  std::span<float> values;
  float scale = 1.0F;
  float keep = 0.0F;  ///< 0: old values are not read
  /// Of large parts; what is small, such as a bias, may be stored as usual whatever is said here. After
  /// streamed stores, simd::fence_streams() must come before others read the values.
  math::Stores stores = math::Stores::cached;
};

/// One step of a model's computation on a batch of B samples, one a row. Parameters live in memory handed in
/// by bind(); activations live in the model.
class Layer {
 public:
  virtual ~Layer() = default;

  [[nodiscard]] const SampleShape& in() const { return in_; }
  [[nodiscard]] const SampleShape& out() const { return out_; }
  [[nodiscard]] virtual std::size_t parameter_count() const { return 0; }
  /// Hands in parameter_count() parameters.
  virtual void bind(std::span<float> /*parameters*/) {}
  /// Writes initial values into the bound parameters: a function of the seed and the layer's index.
  virtual void initialize() {}
  /// Allocates what batches of up to `max_batch` samples need.
  virtual void reserve(std::size_t /*max_batch*/) {}

  /// True when out is in, only seen in another shape: forward and backward are then never called.
  [[nodiscard]] virtual bool only_reshapes() const { return false; }
  /// out [B, out().size()] from in [B, in().size()].
  virtual void forward(const Pass& pass, ConstMatrix in, Matrix out) = 0;
  /// d_in from d_out, the loss's derivative by `out`. `in` and `out` are those of the forward pass before.
  virtual void backward(const Pass& pass, ConstMatrix in, ConstMatrix out, ConstMatrix d_out,
                        Matrix d_in) = 0;

  /// True if backward reads `out`, which must then stay as forward left it.
  [[nodiscard]] virtual bool backward_needs_out() const { return false; }

  /// The gradient of the parameters, summed over the rows of `in` and `d_out`, goes to `target`, which begins
  /// and ends where part_begin() allows. After backward, since the target may be the parameters.
  virtual void add_gradient(ConstMatrix /*in*/, ConstMatrix /*d_out*/, const GradientTarget& /*target*/) {}

  // Ranks which see each other's rows can share the work by parameters instead of by rows:

  /// True if parts of the gradient cost together what the whole costs, and parts of forward too.
  [[nodiscard]] virtual bool divides() const { return false; }
  /// The first parameter at or after `parameter` at which a part may begin.
  [[nodiscard]] virtual std::size_t part_begin(std::size_t parameter) const { return parameter; }
  /// The columns of `in`, from first to before last, that the gradient of `count` parameters from `first` on
  /// reads.
  [[nodiscard]] virtual std::pair<std::size_t, std::size_t> input_columns(std::size_t /*first*/,
                                                                          std::size_t /*count*/) const {
    return {0, in_.size()};
  }
  /// What `count` parameters from `first` on, a part, bring to forward: `contribution` [B, out().size()].
  virtual void contribute(ConstMatrix /*in*/, std::size_t /*first*/, std::size_t /*count*/,
                          Matrix /*contribution*/) {}
  /// forward out of the contributions of all parts.
  virtual void sum_contributions(std::span<const ConstMatrix> /*contributions*/, Matrix /*out*/) {}

  /// Appends the matrix products that one training step of `batch` samples makes; `needs_d_in` when backward
  /// is called.
  virtual void list_gemms(std::size_t /*batch*/, bool /*needs_d_in*/,
                          std::vector<math::GemmShape>& /*to*/) const {}

 protected:
  Layer(SampleShape in, SampleShape out) : in_(in), out_(out) {}

 private:
  SampleShape in_, out_;
};

/// A layer whose outputs each depend on one input. A model carries it out on the rows of the layer before it,
/// in place, and keeps no activations of it: backward only needs the derivatives.
class ElementwiseLayer : public Layer {
 public:
  /// values becomes f(values) for row `row` of the batch; derivatives[j] is multiplied by f'(values[j]),
  /// unless derivatives is empty.
  virtual void apply(const Pass& pass, std::size_t row, std::span<float> values,
                     std::span<float> derivatives) = 0;

  void reserve(std::size_t max_batch) final;
  void forward(const Pass& pass, ConstMatrix in, Matrix out) final;
  void backward(const Pass& pass, ConstMatrix in, ConstMatrix out, ConstMatrix d_out, Matrix d_in) final;

 protected:
  explicit ElementwiseLayer(SampleShape shape) : Layer(shape, shape) {}

 private:
  AlignedVector<float> derivatives_;  // [B, n], of the last training pass
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

/// Takes all keys of `description` but "type" into `fields`; throws ConfigError for one that is not there.
void read_options(const Json& description, Fields& fields);
/// For error messages.
[[nodiscard]] std::string to_text(const Json& description);

}  // namespace lockstep::nn
