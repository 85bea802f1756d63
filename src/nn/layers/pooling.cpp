// SPDX-License-Identifier: BSD-3-Clause
// Max-pooling, and flatten.
#include <algorithm>
#include <vector>

#include "core/error.hpp"
#include "nn/layers/layers.hpp"

namespace lockstep::nn {
namespace {

/// out = the largest input of each kernel x kernel window; windows start `stride` apart, incomplete ones at
/// the far edges are left out. Backward: the gradient goes to the input that was the largest (the first of
/// equals).
class MaxPool2d final : public Layer {
 public:
  MaxPool2d(const LayerSetup& setup, SampleShape out, std::size_t kernel, std::size_t stride)
      : Layer(setup.in, out), kernel_(kernel), stride_(stride) {}

  void reserve(std::size_t max_batch) override { winners_.resize(max_batch * out().size()); }

  void forward(const Pass& /*pass*/, ConstMatrix in, Matrix out) override {
    std::uint32_t* winner = winners_.data();
    for (std::size_t i = 0; i < in.rows; ++i) {
      const float* image = in.row(i).data();
      float* to = out.row(i).data();
      for (std::size_t c = 0; c < this->out().channels; ++c)
        for (std::size_t y = 0; y < this->out().height; ++y)
          for (std::size_t x = 0; x < this->out().width; ++x) {
            *winner = static_cast<std::uint32_t>(largest_in_window(image, c, y * stride_, x * stride_));
            *to++ = image[*winner++];
          }
    }
  }

  void backward(const Pass& /*pass*/, ConstMatrix /*in*/, ConstMatrix /*out*/, ConstMatrix d_out,
                Matrix d_in) override {
    std::ranges::fill(d_in.elements(), 0.0F);
    const std::uint32_t* winner = winners_.data();
    for (std::size_t i = 0; i < d_out.rows; ++i) {
      const auto image = d_in.row(i);
      for (const float d : d_out.row(i)) image[*winner++] += d;
    }
  }

 private:
  [[nodiscard]] std::size_t largest_in_window(const float* image, std::size_t c, std::size_t y,
                                              std::size_t x) const {
    const std::size_t start = (c * in().height + y) * in().width + x;
    std::size_t best = start;
    for (std::size_t u = 0; u < kernel_; ++u)
      for (std::size_t v = 0; v < kernel_; ++v) {
        const std::size_t at = start + u * in().width + v;
        if (image[at] > image[best]) best = at;
      }
    return best;
  }

  std::size_t kernel_, stride_;
  std::vector<std::uint32_t> winners_;  // [B, out], position within the sample
};

/// The same numbers, seen as a vector.
class Flatten final : public Layer {
 public:
  explicit Flatten(const LayerSetup& setup) : Layer(setup.in, {setup.in.size(), 1, 1}) {}
  [[nodiscard]] bool only_reshapes() const override { return true; }
  void forward(const Pass& /*pass*/, ConstMatrix /*in*/, Matrix /*out*/) override {}
  void backward(const Pass& /*pass*/, ConstMatrix /*in*/, ConstMatrix /*out*/, ConstMatrix /*d_out*/,
                Matrix /*d_in*/) override {}
};

}  // namespace

std::unique_ptr<Layer> make_max_pool2d(const LayerSetup& setup, const Json& description) {
  std::size_t kernel = 2;
  std::size_t stride = 0;
  Fields fields;
  fields.add("kernel", &kernel, "height and width of a window").at_least(1).at_most(1e4);
  fields.add("stride", &stride, "distance of windows; 0 = the kernel").at_most(1e4);
  read_options(description, fields);
  if (stride == 0) stride = kernel;
  if (kernel > setup.in.height || kernel > setup.in.width)
    throw ConfigError({"a max_pool2d window is larger than its input", "at most " + to_string(setup.in),
                       std::to_string(kernel)});
  const SampleShape out{setup.in.channels, (setup.in.height - kernel) / stride + 1,
                        (setup.in.width - kernel) / stride + 1};
  return std::make_unique<MaxPool2d>(setup, out, kernel, stride);
}

std::unique_ptr<Layer> make_flatten(const LayerSetup& setup, const Json& description) {
  std::size_t size = 0;
  Fields fields;
  fields.add("size", &size, "the size that the vector must have; 0 = any");
  read_options(description, fields);
  if (size != 0 && size != setup.in.size())
    throw ConfigError({"the model's input does not fit the data set",
                       std::to_string(size) + " numbers a sample",
                       std::to_string(setup.in.size()) + " (" + to_string(setup.in) + ")"});
  return std::make_unique<Flatten>(setup);
}

}  // namespace lockstep::nn
