// SPDX-License-Identifier: BSD-3-Clause
// 2-d convolution of any stride, as im2col and matrix products.
#include <algorithm>
#include <cassert>

#include "core/aligned.hpp"
#include "nn/layers/conv2d.hpp"

namespace lockstep::nn {
namespace {

using math::Op;

/// For each sample: out [C_out, H_out W_out] = W [C_out, C_in K K] columns [C_in K K, H_out W_out] + b, where
/// row (c, u, v) of `columns` is the input channel c shifted by (u, v). Backward: dW = sum over samples of
/// d_out columns^T; the columns' gradient W^T d_out is added back where the columns came from.
class Im2colConv2d final : public Conv2d {
 public:
  Im2colConv2d(const LayerSetup& setup, SampleShape out, Conv2dOptions options)
      : Conv2d(setup, out, std::move(options)) {}

  void reserve(std::size_t /*max_batch*/) override { columns_.resize(depth() * positions()); }

  void forward(const ForwardContext& /*context*/, ConstMatrix in, Matrix out) override {
    for (std::size_t i = 0; i < in.rows; ++i) {
      gather_columns(in.row(i).data());
      const Matrix maps(out.row(i).data(), channels(), positions());
      for (std::size_t c = 0; c < channels(); ++c) std::ranges::fill(maps.row(c), bias()[c]);
      gemm().multiply(1.0F, weights(), Op::none, columns(), Op::none, 1.0F, maps);
    }
  }

  void backward(const ForwardContext& /*context*/, ConstMatrix in, ConstMatrix /*out*/, ConstMatrix d_out,
                Matrix d_in) override {
    for (std::size_t i = 0; i < in.rows; ++i) {
      const ConstMatrix d_maps(d_out.row(i).data(), channels(), positions());
      gemm().multiply(1.0F, weights(), Op::transpose, d_maps, Op::none, 0.0F, columns());
      scatter_columns(d_in.row(i));
    }
  }

  void add_gradient(ConstMatrix in, ConstMatrix d_out, const GradientTarget& target) override {
    assert(target.first == 0 && target.values.size() == parameter_count());
    const Matrix d_weights(target.values.data(), channels(), depth());
    const std::span<float> d_bias = target.values.last(channels());
    float beta = target.beta;  // of what was there before the first sample
    for (std::size_t i = 0; i < in.rows; ++i) {
      const ConstMatrix d_maps(d_out.row(i).data(), channels(), positions());
      gather_columns(in.row(i).data());
      gemm().multiply(target.scale, d_maps, Op::none, columns(), Op::transpose, beta, d_weights);
      for (std::size_t c = 0; c < channels(); ++c) {
        float sum = 0.0F;
        for (const float d : d_maps.row(c)) sum += d;
        d_bias[c] = target.scale * sum + (beta == 0.0F ? 0.0F : beta * d_bias[c]);
      }
      beta = 1.0F;
    }
  }

 private:
  [[nodiscard]] Matrix columns() { return {columns_.data(), depth(), positions()}; }

  // Calls visit(column_row, image_row, first, last, x) for each kernel position and output row: outputs
  // first .. last-1 of that row read image columns x, x + stride, ...; image_row is null above and below the
  // image.
  template <class Pixel, class Visit>
  void for_each_row(Pixel* image, Visit visit) {
    const std::size_t padding = options().padding;
    const std::size_t stride = options().stride;
    float* row = columns_.data();
    for (std::size_t c = 0; c < in().channels; ++c, image += in().height * in().width)
      for (std::size_t u = 0; u < options().kernel; ++u)
        for (std::size_t v = 0; v < options().kernel; ++v)
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
    const std::size_t stride = options().stride;
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
    const std::size_t stride = options().stride;
    for_each_row(image.data(), [=](const float* row, float* to, std::size_t first, std::size_t last) {
      if (to == nullptr) return;
      for (std::size_t x = first; x < last; ++x) to[(x - first) * stride] += row[x];
    });
  }

  AlignedVector<float> columns_;  // of one sample
};

}  // namespace

std::unique_ptr<Layer> make_im2col_conv2d(const LayerSetup& setup, SampleShape out,
                                          const Conv2dOptions& options) {
  return std::make_unique<Im2colConv2d>(setup, out, options);
}

}  // namespace lockstep::nn
