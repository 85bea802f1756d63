// SPDX-License-Identifier: BSD-3-Clause
// 2-d convolution: parameters, and the choice of the way.
#include "nn/layers/conv2d.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "core/error.hpp"
#include "core/json_text.hpp"
#include "nn/initializer.hpp"
#include "nn/memory_check.hpp"

namespace lockstep::nn {
namespace {

// Parameters, and what the layer works with: padded images and views of them, or a matrix of columns.
// `padded` has the output's channels.
void check_memory_of(std::size_t in_channels, const SampleShape& padded, const SampleShape& out,
                     const Conv2dOptions& options) {
  const auto area = [](std::size_t height, std::size_t width) {
    return static_cast<double>(height) * static_cast<double>(width);
  };
  const auto in = static_cast<double>(in_channels), channels = static_cast<double>(padded.channels);
  const double window = area(options.kernel, options.kernel);
  constexpr double samples = 8;  // that the implicit GEMM takes together
  double floats =
      in * channels * window + (in + channels) * (samples * area(padded.height, padded.width) + window);
  if (options.stride > 1) floats += in * window * area(out.height, out.width);
  check_memory(floats);
}

}  // namespace

using math::Op;

void Conv2d::bind(std::span<float> parameters) {
  weights_ = {parameters.data(), channels(), depth()};
  bias_ = parameters.last(channels());
}

void Conv2d::initialize() {
  const std::size_t window = options_.kernel * options_.kernel;
  initialize_weights(options_.init, setup_.seed, setup_.index, depth(), channels() * window,
                     weights_.elements());
  std::ranges::fill(bias_, 0.0F);
}

void Conv2d::list_gemms(std::size_t batch, bool needs_d_in, std::vector<math::GemmShape>& to) const {
  for (std::size_t i = 0; i < batch; ++i) {
    to.push_back({Op::none, Op::none, channels(), positions(), depth()});
    to.push_back({Op::none, Op::transpose, channels(), depth(), positions()});
    if (needs_d_in) to.push_back({Op::transpose, Op::none, depth(), positions(), channels()});
  }
}

std::unique_ptr<Layer> make_conv2d(const LayerSetup& setup, const Json& description) {
  Conv2dOptions chosen;
  Options options;
  options.add("channels", &chosen.channels, "output channels").at_least(1).at_most(1e6);
  options.add("kernel", &chosen.kernel, "height and width of the kernel").at_least(1).at_most(1e4);
  options.add("stride", &chosen.stride, "step of the kernel").at_least(1).at_most(1e4);
  options.add("padding", &chosen.padding, "zeros around the image").at_most(1e4);
  options.add("init", &chosen.init, "initial weights").one_of(initializer_names());
  read_options(description, options);
  if (chosen.channels == 0 || chosen.kernel == 0)
    throw ConfigError({"a conv2d layer needs its channels and kernel", R"("channels": 6, "kernel": 5)",
                       to_text(description)});
  const std::size_t height = setup.in.height + 2 * chosen.padding;
  const std::size_t width = setup.in.width + 2 * chosen.padding;
  if (chosen.kernel > height || chosen.kernel > width)
    throw ConfigError({"a conv2d kernel is larger than its padded input",
                       fmt::format("at most {}", std::min(height, width)), fmt::format("{}", chosen.kernel)});
  const SampleShape out{chosen.channels, (height - chosen.kernel) / chosen.stride + 1,
                        (width - chosen.kernel) / chosen.stride + 1};
  check_memory_of(setup.in.channels, {chosen.channels, height, width}, out, chosen);
  return chosen.stride == 1 ? make_implicit_gemm_conv2d(setup, out, chosen)
                            : make_im2col_conv2d(setup, out, chosen);
}

}  // namespace lockstep::nn
