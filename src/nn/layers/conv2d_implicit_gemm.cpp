// SPDX-License-Identifier: BSD-3-Clause
// 2-d convolution of stride 1, without im2col.
#include <algorithm>
#include <cassert>
#include <vector>

#include "core/aligned.hpp"
#include "math/implicit_gemm.hpp"
#include "nn/layers/conv2d.hpp"

namespace lockstep::nn {
namespace {

/// Images are kept with their padding, rows of width W_p = W + 2 padding one after another. Output (y, x) is
/// computed at position y W_p + x, and then kernel element (d, u, v) always meets the image at offset (d H_p
/// + u) W_p + v from that position: row (d, u, v) of im2col's matrix is the padded image itself, seen from
/// there. The K - 1 positions at the end of each row of outputs are computed in vain, or hold zero gradients;
/// nothing is copied together. Backward: d_in is the same kind of product, of the padded output gradients
/// with the weights turned around.
class ImplicitGemmConv2d final : public Conv2d {
 public:
  ImplicitGemmConv2d(const LayerSetup& setup, SampleShape out, Conv2dOptions options)
      : Conv2d(setup, out, std::move(options)),
        image_width_(in().width + 2 * this->options().padding),
        image_height_(in().height + 2 * this->options().padding),
        wide_count_((this->out().height - 1) * image_width_ + this->out().width),
        wide_stride_(math::whole_vectors(wide_count_) + reach()),
        image_count_((in().height - 1) * image_width_ + in().width) {
    const std::size_t kernel = this->options().kernel;
    const auto add_offsets = [&](std::vector<std::size_t>& to, std::size_t planes, std::size_t plane,
                                 bool turned) {
      for (std::size_t d = 0; d < planes; ++d)
        for (std::size_t u = 0; u < kernel; ++u)
          for (std::size_t v = 0; v < kernel; ++v) {
            const std::size_t shift = u * image_width_ + v;
            to.push_back(d * plane + (turned ? reach() - shift : shift));
          }
    };
    add_offsets(offsets_, in().channels, image_height_ * image_width_, false);
    add_offsets(turned_offsets_, channels(), wide_stride_, true);
    turned_weights_.resize(in().channels * turned_offsets_.size());
  }

  void reserve(std::size_t max_batch) override {
    images_.resize(max_batch * image_floats());
    // Behind the last sample's rows comes the reach of a view, zero like that before the first.
    wide_.resize(group * sample_floats() + reach() + math::whole_vectors(1));
    const std::size_t planes = std::max(channels(), in().channels);
    scratch_.resize(planes * math::whole_vectors(std::max(wide_count_, image_count_)));
  }

  void forward(const ForwardContext& /*context*/, ConstMatrix in, Matrix out) override {
    const std::size_t stride = math::whole_vectors(wide_count_);
    for (std::size_t i = 0; i < in.rows; ++i) {
      float* const image = images_.data() + i * image_floats();
      pad(in.row(i).data(), image);
      math::implicit_gemm(weights(), {image, offsets_, wide_count_}, {scratch_.data(), channels(), stride});
      float* to = out.row(i).data();
      for (std::size_t c = 0; c < channels(); ++c) {
        const float bias = this->bias()[c];
        for (std::size_t y = 0; y < this->out().height; ++y, to += this->out().width) {
          const float* __restrict from = scratch_.data() + c * stride + y * image_width_;
          for (std::size_t x = 0; x < this->out().width; ++x) to[x] = from[x] + bias;
        }
      }
    }
  }

  void backward(const ForwardContext& /*context*/, ConstMatrix /*in*/, ConstMatrix /*out*/, ConstMatrix d_out,
                Matrix d_in) override {
    turn_weights();
    const std::size_t stride = math::whole_vectors(image_count_);
    const std::size_t padding = options().padding;
    for (std::size_t i = 0; i < d_in.rows; ++i) {
      widen(d_out.row(i).data(), wide_.data());
      // Position 0 of d_in is (padding, padding) of the padded image.
      const float* const from = wide_.data() + padding * image_width_ + padding;
      math::implicit_gemm({turned_weights_.data(), in().channels, turned_offsets_.size()},
                          {from, turned_offsets_, image_count_}, {scratch_.data(), in().channels, stride});
      float* to = d_in.row(i).data();
      for (std::size_t d = 0; d < in().channels; ++d)
        for (std::size_t y = 0; y < in().height; ++y, to += in().width)
          std::copy_n(scratch_.data() + d * stride + y * image_width_, in().width, to);
    }
  }

  void add_gradient(ConstMatrix in, ConstMatrix d_out, const GradientTarget& target) override {
    assert(target.first == 0 && target.values.size() == parameter_count());
    const Matrix d_weights(target.values.data(), channels(), depth());
    float beta = target.beta;  // of what was there before the first group
    for (std::size_t begin = 0; begin < in.rows; begin += group) {
      const std::size_t samples = std::min(group, in.rows - begin);
      for (std::size_t i = 0; i < samples; ++i)
        widen(d_out.row(begin + i).data(), wide_.data() + i * sample_floats());
      const math::TransposedTerms terms{
          .rows = {wide_.data() + reach(), channels(), wide_count_, wide_stride_},
          .rows_step = sample_floats(),
          .windows = {images_.data() + begin * image_floats(), offsets_, wide_count_},
          .from_step = image_floats(),
          .repeats = samples};
      math::add_implicit_gemm_transposed(terms, target.scale, beta, d_weights);
      beta = 1.0F;
    }
    add_bias_gradient(d_out, target);
  }

 private:
  // Samples whose sums are added up in registers: enough to make their reduction cheap, few enough for the
  // caches.
  static constexpr std::size_t group = 8;

  // How far a view reaches beyond the position that it is seen from, within a plane.
  [[nodiscard]] std::size_t reach() const { return (options().kernel - 1) * (image_width_ + 1); }
  // A padded image, and room for the last view to run on.
  [[nodiscard]] std::size_t image_floats() const {
    return in().channels * image_height_ * image_width_ + 2 * math::whole_vectors(1);
  }
  // A sample's output gradients at the positions of padded images: `reach` zeros, then the planes, each
  // followed by zeros enough for views from beyond its end.
  [[nodiscard]] std::size_t sample_floats() const { return reach() + channels() * wide_stride_; }

  // The borders of images_ are zero from the beginning, and stay so.
  void pad(const float* from, float* image) const {
    const std::size_t padding = options().padding;
    for (std::size_t d = 0; d < in().channels; ++d)
      for (std::size_t y = 0; y < in().height; ++y, from += in().width) {
        float* __restrict to = image + (d * image_height_ + y + padding) * image_width_ + padding;
        for (std::size_t x = 0; x < in().width; ++x) to[x] = from[x];
      }
  }

  // As for pad(): what is not an output stays zero.
  void widen(const float* from, float* sample) const {
    for (std::size_t c = 0; c < channels(); ++c)
      for (std::size_t y = 0; y < out().height; ++y, from += out().width) {
        float* __restrict to = sample + reach() + c * wide_stride_ + y * image_width_;
        for (std::size_t x = 0; x < out().width; ++x) to[x] = from[x];
      }
  }

  // turned_weights_[d, (c, u, v)] = W[c, (d, u, v)]
  void turn_weights() {
    const std::size_t window = options().kernel * options().kernel;
    for (std::size_t d = 0; d < in().channels; ++d)
      for (std::size_t c = 0; c < channels(); ++c)
        std::copy_n(weights().row(c).data() + d * window, window,
                    turned_weights_.data() + (d * channels() + c) * window);
  }

  void add_bias_gradient(ConstMatrix d_out, const GradientTarget& target) const {
    const std::span<float> d_bias = target.values.last(channels());
    constexpr std::size_t lanes = 16;
    for (std::size_t c = 0; c < channels(); ++c) {
      float sums[lanes] = {};  // several, so that they are vectors
      for (std::size_t i = 0; i < d_out.rows; ++i) {
        const float* __restrict plane = d_out.row(i).data() + c * positions();
        std::size_t p = 0;
        for (; p + lanes <= positions(); p += lanes)
          for (std::size_t l = 0; l < lanes; ++l) sums[l] += plane[p + l];
        for (; p < positions(); ++p) sums[0] += plane[p];
      }
      float sum = 0.0F;
      for (const float lane : sums) sum += lane;
      d_bias[c] = target.scale * sum + (target.beta == 0.0F ? 0.0F : target.beta * d_bias[c]);
    }
  }

  std::size_t image_width_, image_height_;
  std::size_t wide_count_;                   // positions from the first output to the last
  std::size_t wide_stride_;                  // from plane to plane of output gradients
  std::size_t image_count_;                  // positions of an input plane
  std::vector<std::size_t> offsets_;         // [C_in K K], in a padded image
  std::vector<std::size_t> turned_offsets_;  // [C_out K K], in padded output gradients
  AlignedVector<float> turned_weights_;      // [C_in, C_out K K]
  AlignedVector<float> images_;              // [max_batch, image_floats], of the forward pass
  AlignedVector<float> wide_;                // [group, sample_floats]
  AlignedVector<float> scratch_;             // results at all positions, of one sample
};

}  // namespace

std::unique_ptr<Layer> make_implicit_gemm_conv2d(const LayerSetup& setup, SampleShape out,
                                                 const Conv2dOptions& options) {
  return std::make_unique<ImplicitGemmConv2d>(setup, out, options);
}

}  // namespace lockstep::nn
