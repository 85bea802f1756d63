// SPDX-License-Identifier: BSD-3-Clause
// The table of layers.
#include "nn/layer.hpp"

#include <algorithm>
#include <array>

#include "core/json.hpp"
#include "core/names.hpp"
#include "nn/layers/layers.hpp"

namespace lockstep::nn {
namespace {

constexpr std::array table = {
    LayerRow{"linear", "out = in W + b; units, init (xavier or he)", make_linear},
    LayerRow{"conv2d", "2-d convolution; channels, kernel, stride, padding, init", make_conv2d},
    LayerRow{"max_pool2d", "maximum over windows; kernel, stride", make_max_pool2d},
    LayerRow{"global_avg_pool2d", "mean of each channel over the whole image", make_global_avg_pool2d},
    LayerRow{"flatten", "images to vectors", make_flatten},
    LayerRow{"relu", "max(x, 0)", make_relu},
    LayerRow{"leaky_relu", "x, or slope * x where x < 0", make_leaky_relu},
    LayerRow{"sigmoid", "1 / (1 + exp(-x))", make_sigmoid},
    LayerRow{"tanh", "hyperbolic tangent", make_tanh},
    LayerRow{"softmax", "exp(x_i) / sum_j exp(x_j)", make_softmax},
    LayerRow{"dropout", "Bernoulli dropout: zero with probability rate, else x / (1 - rate)", make_dropout},
    LayerRow{"gaussian_dropout", "x times a normal number of mean 1 and standard deviation rate (1 - rate)",
             make_gaussian_dropout},
    LayerRow{"batch_norm", "each channel to mean 0 and variance 1 over the batch; momentum, epsilon",
             make_batch_norm},
    LayerRow{"add", "the sum of its inputs", make_add},
};

}  // namespace

std::span<const LayerRow> layer_table() { return table; }

std::string_view name_of(Pass pass) {
  constexpr std::array<std::string_view, 5> names = {"forward", "backward", "derivatives", "gradient",
                                                     "update"};
  return names[static_cast<std::size_t>(pass)];
}

Cost Layer::cost(Pass pass, std::size_t rows) const {
  const auto samples = static_cast<double>(rows);
  const auto floats = samples * static_cast<double>(in_.size() + out_.size());
  const auto parameters = static_cast<double>(parameter_count());
  return {.flop = samples * flop(pass), .bytes = sizeof(float) * (floats + parameters)};
}

std::unique_ptr<Layer> make_layer(const LayerSetup& setup, const Json& description) {
  if (!description.is_object() || !description.contains("type") || !description["type"].is_string())
    throw ConfigError({"a layer needs a type", R"({"type": "linear", "units": 256})", description.dump()});
  return find_row(layer_table(), "layer type", description["type"].get<std::string>())
      .make(setup, description);
}

std::size_t Tensor::size() const {
  std::size_t size = 1;
  for (const std::size_t length : shape) size *= length;
  return size;
}

std::size_t Layer::count(const std::vector<Tensor>& tensors) {
  std::size_t count = 0;
  for (const Tensor& tensor : tensors) count += tensor.size();
  return count;
}

void ElementwiseLayer::reserve(std::size_t max_batch) { derivatives_.resize(max_batch * in().size()); }

void ElementwiseLayer::forward(const ForwardContext& context, ConstMatrix in, Matrix out) {
  for (std::size_t i = 0; i < in.rows; ++i) {
    std::ranges::copy(in.row(i), out.row(i).begin());
    const auto derivatives =
        context.training ? std::span(derivatives_).subspan(i * in.cols, in.cols) : std::span<float>();
    std::ranges::fill(derivatives, 1.0F);
    apply(context, i, out.row(i), derivatives);
  }
}

void ElementwiseLayer::backward(const ForwardContext& /*context*/, ConstMatrix /*in*/, ConstMatrix /*out*/,
                                ConstMatrix d_out, Matrix d_in) {
  for (std::size_t i = 0; i < d_out.size(); ++i) d_in.data[i] = d_out.data[i] * derivatives_[i];
}

void read_options(const Json& description, Options& options) {
  const auto type = description.at("type").get<std::string>();
  for (const auto& [key, value] : description.items()) {
    if (key == "type" || key == "name" || key == "inputs") continue;
    Option* option = options.find(key);
    if (option == nullptr) throw unknown_name("option of layer " + type, key, options.keys());
    option->set(value);
  }
}

}  // namespace lockstep::nn
