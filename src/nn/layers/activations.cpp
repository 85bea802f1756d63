// SPDX-License-Identifier: BSD-3-Clause
// Element-wise activations, each given by f and by its derivative in terms of f's value; and softmax.
#include <cmath>

#include "math/softmax.hpp"
#include "nn/layers/layers.hpp"

namespace lockstep::nn {
namespace {

struct Relu {
  [[nodiscard]] float value(float x) const { return x > 0.0F ? x : 0.0F; }
  [[nodiscard]] float derivative(float y) const { return y > 0.0F ? 1.0F : 0.0F; }
};

struct LeakyRelu {
  float slope = 0.01F;
  [[nodiscard]] float value(float x) const { return x > 0.0F ? x : slope * x; }
  [[nodiscard]] float derivative(float y) const { return y > 0.0F ? 1.0F : slope; }
};

struct Sigmoid {
  [[nodiscard]] float value(float x) const { return 1.0F / (1.0F + std::exp(-x)); }
  [[nodiscard]] float derivative(float y) const { return y * (1.0F - y); }
};

struct Tanh {
  [[nodiscard]] float value(float x) const { return std::tanh(x); }
  [[nodiscard]] float derivative(float y) const { return 1.0F - y * y; }
};

/// out = f(in), element by element; f' is computed from f's value.
template <class Function>
class Activation final : public ElementwiseLayer {
 public:
  Activation(const LayerSetup& setup, Function function) : ElementwiseLayer(setup.in), function_(function) {}

  void apply(const ForwardContext& /*context*/, std::size_t /*row*/, std::span<float> values,
             std::span<float> derivatives) override {
    const Function f = function_;
    float* __restrict y = values.data();
    if (derivatives.empty()) {
      for (std::size_t i = 0; i < values.size(); ++i) y[i] = f.value(y[i]);
      return;
    }
    float* __restrict d = derivatives.data();
    for (std::size_t i = 0; i < values.size(); ++i) {
      y[i] = f.value(y[i]);
      d[i] *= f.derivative(y[i]);
    }
  }

 private:
  Function function_;
};

/// out_i = exp(in_i) / sum_j exp(in_j) along each row, shifted by the row's maximum so that nothing
/// overflows. d_in = out (d_out - sum_j d_out_j out_j).
class Softmax final : public Layer {
 public:
  explicit Softmax(const LayerSetup& setup) : Layer(setup.in, setup.in, {.backward_needs_out = true}) {}

  void forward(const ForwardContext& /*context*/, ConstMatrix in, Matrix out) override {
    for (std::size_t i = 0; i < in.rows; ++i) math::softmax(in.row(i), out.row(i));
  }

  void backward(const ForwardContext& /*context*/, ConstMatrix /*in*/, ConstMatrix out, ConstMatrix d_out,
                Matrix d_in) override {
    for (std::size_t i = 0; i < out.rows; ++i) {
      const auto y = out.row(i);
      const auto d_y = d_out.row(i);
      const auto d_x = d_in.row(i);
      float dot = 0.0F;
      for (std::size_t j = 0; j < y.size(); ++j) dot += d_y[j] * y[j];
      for (std::size_t j = 0; j < y.size(); ++j) d_x[j] = y[j] * (d_y[j] - dot);
    }
  }
};

template <class Function>
std::unique_ptr<Layer> make_plain(const LayerSetup& setup, const Json& description) {
  Options none;
  read_options(description, none);
  return std::make_unique<Activation<Function>>(setup, Function{});
}

}  // namespace

std::unique_ptr<Layer> make_relu(const LayerSetup& setup, const Json& description) {
  return make_plain<Relu>(setup, description);
}

std::unique_ptr<Layer> make_leaky_relu(const LayerSetup& setup, const Json& description) {
  const LeakyRelu standard;
  double slope = standard.slope;
  Options options;
  options.add("slope", &slope, "factor for negative inputs").above(0.0).at_most(1.0);
  read_options(description, options);
  return std::make_unique<Activation<LeakyRelu>>(setup, LeakyRelu{static_cast<float>(slope)});
}

std::unique_ptr<Layer> make_sigmoid(const LayerSetup& setup, const Json& description) {
  return make_plain<Sigmoid>(setup, description);
}

std::unique_ptr<Layer> make_tanh(const LayerSetup& setup, const Json& description) {
  return make_plain<Tanh>(setup, description);
}

std::unique_ptr<Layer> make_softmax(const LayerSetup& setup, const Json& description) {
  Options none;
  read_options(description, none);
  return std::make_unique<Softmax>(setup);
}

}  // namespace lockstep::nn
