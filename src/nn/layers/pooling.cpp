// SPDX-License-Identifier: BSD-3-Clause
// Max-pooling, the mean of whole images, and flatten.
#include <algorithm>
#include <vector>

#include "core/error.hpp"
#include "core/simd.hpp"
#include "nn/layers/layers.hpp"

namespace lockstep::nn {
namespace {

/// out = the largest input of each kernel x kernel window; windows start `stride` apart, incomplete ones at
/// the far edges are left out. Backward: the gradient goes to the input that was the largest (the first of
/// equals).
class MaxPool2d final : public Layer {
 public:
  MaxPool2d(const LayerSetup& setup, SampleShape out, std::size_t kernel, std::size_t stride)
      : Layer(setup.in, out),
        kernel_(kernel),
        stride_(stride),
        largest_(out.channels * out.height * setup.in.width),
        largest_at_(largest_.size()) {}

  void reserve(std::size_t max_batch) override { winners_.resize(max_batch * out().size()); }

  void forward(const ForwardContext& /*context*/, ConstMatrix in, Matrix out) override {
    // Lines of windows that follow each other without a gap are one long line, which vectors like better.
    const bool gapless = this->out().width * stride_ == this->in().width;
    const std::size_t lines = gapless ? 1 : this->out().channels * this->out().height;
    const std::size_t width = out.cols / lines;
    for (std::size_t i = 0; i < in.rows; ++i) {
      pool_columns(in.row(i).data());
      Position* winners = winners_.data() + i * out.cols;
      float* to = out.row(i).data();
      for (std::size_t line = 0; line < lines; ++line, to += width, winners += width) {
        const std::size_t begin = line * this->in().width;
        if (stride_ == 2)  // known when the loop is compiled, so that it becomes vectors
          pool_line<2>(begin, width, to, winners);
        else
          pool_line<0>(begin, width, to, winners);
      }
    }
  }

  void backward(const ForwardContext& /*context*/, ConstMatrix /*in*/, ConstMatrix /*out*/, ConstMatrix d_out,
                Matrix d_in) override {
    std::ranges::fill(d_in.elements(), 0.0F);
    const Position* winner = winners_.data();
    for (std::size_t i = 0; i < d_out.rows; ++i) {
      float* const image = d_in.row(i).data();
      for (const float d : d_out.row(i)) image[*winner++] += d;
    }
  }

 private:
  using Position = std::int32_t;  // within the sample; as wide as a float, and vectors compare it

  // The largest of the `kernel` values one below the other, for all columns of each line of windows, and
  // where they are.
  void pool_columns(const float* image) {
    const std::size_t width = in().width;
    float* largest = largest_.data();
    Position* at = largest_at_.data();
    for (std::size_t c = 0; c < out().channels; ++c)
      for (std::size_t y = 0; y < out().height; ++y, largest += width, at += width) {
        const std::size_t first = (c * in().height + y * stride_) * width;
        for (std::size_t x = 0; x < width; x += simd::width) {
          const std::size_t lanes = std::min(simd::width, width - x);
          simd::Floats best = simd::load_first(image + first + x, lanes);
          simd::Ints best_at = simd::lane_numbers() + static_cast<Position>(first + x);
          for (std::size_t u = 1; u < kernel_; ++u) {
            const std::size_t start = first + u * width + x;
            const simd::Floats row = simd::load_first(image + start, lanes);
            const simd::Ints larger = row > best;
            best = larger ? row : best;
            best_at = larger ? simd::lane_numbers() + static_cast<Position>(start) : best_at;
          }
          simd::store_first(largest + x, lanes, best);
          simd::store_first(reinterpret_cast<float*>(at + x), lanes, simd::as_floats(best_at));
        }
      }
  }

  // The largest of `kernel` columns side by side, for `count` windows of a line. STRIDE: 0 = stride_.
  template <std::size_t STRIDE>
  void pool_line(std::size_t begin, std::size_t count, float* __restrict to,
                 Position* __restrict winners) const {
    const std::size_t stride = STRIDE == 0 ? stride_ : STRIDE;
    const float* __restrict largest = largest_.data() + begin;
    const Position* __restrict at = largest_at_.data() + begin;
    for (std::size_t x = 0; x < count; ++x) {
      to[x] = largest[x * stride];
      winners[x] = at[x * stride];
    }
    for (std::size_t v = 1; v < kernel_; ++v)
      for (std::size_t x = 0; x < count; ++x) {
        const float value = largest[x * stride + v];
        const Position position = at[x * stride + v];
        const bool wins = (value > to[x]) | ((value == to[x]) & (position < winners[x]));
        to[x] = wins ? value : to[x];
        winners[x] = wins ? position : winners[x];
      }
  }

  std::size_t kernel_, stride_;
  std::vector<float> largest_;        // [lines of windows, width of the input], of one sample
  std::vector<Position> largest_at_;  // the same
  std::vector<Position> winners_;     // [B, out]
};

/// out[c] = mean of the input's channel c over all its positions.
class GlobalAvgPool2d final : public Layer {
 public:
  explicit GlobalAvgPool2d(const LayerSetup& setup) : Layer(setup.in, {setup.in.channels, 1, 1}) {}

  void forward(const ForwardContext& /*context*/, ConstMatrix in, Matrix out) override {
    constexpr std::size_t lanes = 16;
    for (std::size_t i = 0; i < in.rows; ++i)
      for (std::size_t c = 0; c < out.cols; ++c) {
        const float* __restrict plane = in.row(i).data() + c * positions();
        float sums[lanes] = {};  // several, so that they are vectors
        std::size_t p = 0;
        for (; p + lanes <= positions(); p += lanes)
          for (std::size_t l = 0; l < lanes; ++l) sums[l] += plane[p + l];
        for (; p < positions(); ++p) sums[0] += plane[p];
        float sum = 0.0F;
        for (const float lane : sums) sum += lane;
        out.row(i)[c] = sum / static_cast<float>(positions());
      }
  }

  void backward(const ForwardContext& /*context*/, ConstMatrix /*in*/, ConstMatrix /*out*/, ConstMatrix d_out,
                Matrix d_in) override {
    const float share = 1.0F / static_cast<float>(positions());
    for (std::size_t i = 0; i < d_out.rows; ++i)
      for (std::size_t c = 0; c < d_out.cols; ++c)
        std::fill_n(d_in.row(i).data() + c * positions(), positions(), share * d_out.row(i)[c]);
  }

 private:
  [[nodiscard]] std::size_t positions() const { return in().height * in().width; }
};

/// The same numbers, seen as a vector.
class Flatten final : public Layer {
 public:
  explicit Flatten(const LayerSetup& setup)
      : Layer(setup.in, {setup.in.size(), 1, 1}, {.only_reshapes = true}) {}
  void forward(const ForwardContext& /*context*/, ConstMatrix /*in*/, Matrix /*out*/) override {}
  void backward(const ForwardContext& /*context*/, ConstMatrix /*in*/, ConstMatrix /*out*/,
                ConstMatrix /*d_out*/, Matrix /*d_in*/) override {}
};

}  // namespace

std::unique_ptr<Layer> make_max_pool2d(const LayerSetup& setup, const Json& description) {
  std::size_t kernel = 2;
  std::size_t stride = 0;
  Options options;
  options.add("kernel", &kernel, "height and width of a window").at_least(1).at_most(1e4);
  options.add("stride", &stride, "distance of windows; 0 = the kernel").at_most(1e4);
  read_options(description, options);
  if (stride == 0) stride = kernel;
  if (kernel > setup.in.height || kernel > setup.in.width)
    throw ConfigError({"a max_pool2d window is larger than its input", "at most " + to_string(setup.in),
                       std::to_string(kernel)});
  const SampleShape out{setup.in.channels, (setup.in.height - kernel) / stride + 1,
                        (setup.in.width - kernel) / stride + 1};
  return std::make_unique<MaxPool2d>(setup, out, kernel, stride);
}

std::unique_ptr<Layer> make_global_avg_pool2d(const LayerSetup& setup, const Json& description) {
  Options none;
  read_options(description, none);
  return std::make_unique<GlobalAvgPool2d>(setup);
}

std::unique_ptr<Layer> make_flatten(const LayerSetup& setup, const Json& description) {
  std::size_t size = 0;
  Options options;
  options.add("size", &size, "the size that the vector must have; 0 = any");
  read_options(description, options);
  if (size != 0 && size != setup.in.size())
    throw ConfigError({"the model's input does not fit the data set",
                       std::to_string(size) + " numbers a sample",
                       std::to_string(setup.in.size()) + " (" + to_string(setup.in) + ")"});
  return std::make_unique<Flatten>(setup);
}

}  // namespace lockstep::nn
