// SPDX-License-Identifier: BSD-3-Clause
// 2-d convolution: parameters, and the choice of the way.
#include "nn/layers/conv2d.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "core/error.hpp"
#include "nn/initializer.hpp"

namespace lockstep::nn {

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
  Conv2d::Options options;
  Fields fields;
  fields.add("channels", &options.channels, "output channels").at_least(1).at_most(1e6);
  fields.add("kernel", &options.kernel, "height and width of the kernel").at_least(1).at_most(1e4);
  fields.add("stride", &options.stride, "step of the kernel").at_least(1).at_most(1e4);
  fields.add("padding", &options.padding, "zeros around the image").at_most(1e4);
  fields.add("init", &options.init, "initial weights").one_of(initializer_names());
  read_options(description, fields);
  if (options.channels == 0 || options.kernel == 0)
    throw ConfigError({"a conv2d layer needs its channels and kernel", R"("channels": 6, "kernel": 5)",
                       to_text(description)});
  const std::size_t height = setup.in.height + 2 * options.padding;
  const std::size_t width = setup.in.width + 2 * options.padding;
  if (options.kernel > height || options.kernel > width)
    throw ConfigError({"a conv2d kernel is larger than its padded input",
                       fmt::format("at most {}", std::min(height, width)),
                       fmt::format("{}", options.kernel)});
  const SampleShape out{options.channels, (height - options.kernel) / options.stride + 1,
                        (width - options.kernel) / options.stride + 1};
  return options.stride == 1 ? make_sliding_conv2d(setup, out, options)
                             : make_conv2d_of_columns(setup, out, options);
}

}  // namespace lockstep::nn
