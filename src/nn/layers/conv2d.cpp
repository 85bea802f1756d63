// SPDX-License-Identifier: BSD-3-Clause
// 2-d convolution as im2col and matrix products.
#include <algorithm>
#include <cassert>

#include <fmt/format.h>

#include "core/aligned.hpp"
#include "core/error.hpp"
#include "nn/initializer.hpp"
#include "nn/layers/layers.hpp"

namespace lockstep::nn {
namespace {

using math::Op;

/// For each sample: out [C_out, H_out W_out] = W [C_out, C_in K K] columns [C_in K K, H_out W_out] + b, where
/// row (c, u, v) of `columns` is the input channel c shifted by (u, v), zero outside (Chellapilla et al.
/// 2006). H_out = (H + 2 padding - K) / stride + 1, and W_out likewise. Backward: dW = sum over samples of
/// d_out columns^T; the columns' gradient W^T d_out is added back where the columns came from.
class Conv2d final : public Layer {
 public:
  struct Options {
    std::size_t channels = 0, kernel = 0, stride = 1, padding = 0;
    std::string init = "xavier";
  };

  Conv2d(const LayerSetup& setup, SampleShape out, Options options)
      : Layer(setup.in, out), setup_(setup), options_(std::move(options)) {}

  [[nodiscard]] std::size_t parameter_count() const override { return channels() * (depth() + 1); }

  void bind(std::span<float> parameters) override {
    weights_ = {parameters.data(), channels(), depth()};
    bias_ = parameters.last(channels());
  }

  void initialize() override {
    const std::size_t window = options_.kernel * options_.kernel;
    initialize_weights(options_.init, setup_.seed, setup_.index, depth(), channels() * window,
                       weights_.elements());
    std::ranges::fill(bias_, 0.0F);
  }

  void reserve(std::size_t /*max_batch*/) override { columns_.resize(depth() * positions()); }

  void forward(const Pass& /*pass*/, ConstMatrix in, Matrix out) override {
    for (std::size_t i = 0; i < in.rows; ++i) {
      gather_columns(in.row(i).data());
      const Matrix maps(out.row(i).data(), channels(), positions());
      for (std::size_t c = 0; c < channels(); ++c) std::ranges::fill(maps.row(c), bias_[c]);
      setup_.gemm->multiply(1.0F, weights_, Op::none, columns(), Op::none, 1.0F, maps);
    }
  }

  void backward(const Pass& /*pass*/, ConstMatrix in, ConstMatrix /*out*/, ConstMatrix d_out,
                Matrix d_in) override {
    for (std::size_t i = 0; i < in.rows; ++i) {
      const ConstMatrix d_maps(d_out.row(i).data(), channels(), positions());
      setup_.gemm->multiply(1.0F, weights_, Op::transpose, d_maps, Op::none, 0.0F, columns());
      scatter_columns(d_in.row(i));
    }
  }

  void add_gradient(ConstMatrix in, ConstMatrix d_out, const GradientTarget& target) override {
    assert(target.first == 0 && target.values.size() == parameter_count());
    const Matrix d_weights(target.values.data(), channels(), depth());
    const std::span<float> d_bias = target.values.last(channels());
    float keep = target.keep;  // of what was there before the first sample
    for (std::size_t i = 0; i < in.rows; ++i) {
      const ConstMatrix d_maps(d_out.row(i).data(), channels(), positions());
      gather_columns(in.row(i).data());
      setup_.gemm->multiply(target.scale, d_maps, Op::none, columns(), Op::transpose, keep, d_weights);
      for (std::size_t c = 0; c < channels(); ++c) {
        float sum = 0.0F;
        for (const float d : d_maps.row(c)) sum += d;
        d_bias[c] = target.scale * sum + (keep == 0.0F ? 0.0F : keep * d_bias[c]);
      }
      keep = 1.0F;
    }
  }

  void list_gemms(std::size_t batch, bool needs_d_in, std::vector<math::GemmShape>& to) const override {
    for (std::size_t i = 0; i < batch; ++i) {
      to.push_back({Op::none, Op::none, channels(), positions(), depth()});
      to.push_back({Op::none, Op::transpose, channels(), depth(), positions()});
      if (needs_d_in) to.push_back({Op::transpose, Op::none, depth(), positions(), channels()});
    }
  }

 private:
  [[nodiscard]] std::size_t channels() const { return options_.channels; }
  [[nodiscard]] std::size_t positions() const { return out().height * out().width; }
  [[nodiscard]] std::size_t depth() const { return in().channels * options_.kernel * options_.kernel; }
  [[nodiscard]] Matrix columns() { return {columns_.data(), depth(), positions()}; }

  // Calls visit(column_row, image_row, first, last, x) for each kernel position and output row: outputs
  // first .. last-1 of that row read image columns x, x + stride, ...; image_row is null above and below the
  // image.
  template <class Pixel, class Visit>
  void for_each_row(Pixel* image, Visit visit) {
    const std::size_t padding = options_.padding;
    const std::size_t stride = options_.stride;
    float* row = columns_.data();
    for (std::size_t c = 0; c < in().channels; ++c, image += in().height * in().width)
      for (std::size_t u = 0; u < options_.kernel; ++u)
        for (std::size_t v = 0; v < options_.kernel; ++v)
          for (std::size_t y = 0; y < out().height; ++y, row += out().width) {
            const std::size_t image_y = y * stride + u;  // in the padded image, as is image_x below
            const bool inside = image_y >= padding && image_y < in().height + padding;
            const std::size_t first = v >= padding ? 0 : (padding - v + stride - 1) / stride;
            const std::size_t room =
                in().width + padding > v ? (in().width + padding - v - 1) / stride + 1 : 0;
            const std::size_t last = std::max(first, std::min(out().width, room));
            Pixel* from =
                inside ? image + (image_y - padding) * in().width + (first * stride + v - padding) : nullptr;
            visit(row, from, first, last);
          }
  }

  void gather_columns(const float* image) {
    const std::size_t stride = options_.stride;
    const std::size_t width = out().width;
    for_each_row(image, [=](float* row, const float* from, std::size_t first, std::size_t last) {
      if (from == nullptr) first = last = width;
      std::fill(row, row + first, 0.0F);
      if (stride == 1)
        std::copy(from, from + (last - first), row + first);
      else
        for (std::size_t x = first; x < last; ++x) row[x] = from[(x - first) * stride];
      std::fill(row + last, row + width, 0.0F);
    });
  }

  void scatter_columns(std::span<float> image) {
    std::ranges::fill(image, 0.0F);
    const std::size_t stride = options_.stride;
    for_each_row(image.data(), [=](const float* row, float* to, std::size_t first, std::size_t last) {
      if (to == nullptr) return;
      for (std::size_t x = first; x < last; ++x) to[(x - first) * stride] += row[x];
    });
  }

  LayerSetup setup_;
  Options options_;
  Matrix weights_;
  std::span<float> bias_;
  AlignedVector<float> columns_;  // of one sample
};

}  // namespace

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
                       description.dump()});
  const std::size_t height = setup.in.height + 2 * options.padding;
  const std::size_t width = setup.in.width + 2 * options.padding;
  if (options.kernel > height || options.kernel > width)
    throw ConfigError({"a conv2d kernel is larger than its padded input",
                       fmt::format("at most {}", std::min(height, width)),
                       fmt::format("{}", options.kernel)});
  const SampleShape out{options.channels, (height - options.kernel) / options.stride + 1,
                        (width - options.kernel) / options.stride + 1};
  return std::make_unique<Conv2d>(setup, out, options);
}

}  // namespace lockstep::nn
