// SPDX-License-Identifier: BSD-3-Clause
// Dropout: multiplicative noise of mean 1 in training, nothing in evaluation.
#include <algorithm>
#include <cmath>

#include "core/aligned.hpp"
#include "nn/layers/layers.hpp"

namespace lockstep::nn {
namespace {

/// Bernoulli: 0 with probability `rate`, else 1 / (1 - rate) (Srivastava et al., JMLR 2014, in its inverted
/// form).
struct Bernoulli {
  float rate;
  void draw(const RandomRows& random, const Pass& pass, std::size_t row, std::uint32_t layer,
            std::span<float> noise) const {
    random.uniform(pass.epoch, pass.sample_ids[row], layer, noise);
    const float keep = 1.0F / (1.0F - rate);
    for (float& value : noise) value = value < rate ? 0.0F : keep;
  }
};

/// Normal with mean 1 and standard deviation rate (1 - rate), as in the project that Lockstep grew out of:
/// milder than the usual sqrt(rate / (1 - rate)) of Srivastava et al.
struct Gaussian {
  float rate;
  void draw(const RandomRows& random, const Pass& pass, std::size_t row, std::uint32_t layer,
            std::span<float> noise) const {
    random.normal(pass.epoch, pass.sample_ids[row], layer, noise);
    const float deviation = rate * (1.0F - rate);
    for (float& value : noise) value = 1.0F + deviation * value;
  }
};

/// out = in * noise, d_in = d_out * noise; the noise of an element depends on (seed, epoch, sample, layer,
/// unit).
template <class Noise>
class Dropout final : public Layer {
 public:
  Dropout(const LayerSetup& setup, Noise noise)
      : Layer(setup.in, setup.in),
        random_(setup.seed, Purpose::dropout),
        layer_(setup.index),
        noise_(noise) {}

  void reserve(std::size_t max_batch) override { drawn_.resize(max_batch * in().size()); }

  void forward(const Pass& pass, ConstMatrix in, Matrix out) override {
    if (!pass.training) {
      std::ranges::copy(in.elements(), out.data);
      return;
    }
    for (std::size_t i = 0; i < in.rows; ++i) {
      const std::span<float> noise(drawn_.data() + i * in.cols, in.cols);
      noise_.draw(random_, pass, i, layer_, noise);
      const float* x = in.row(i).data();
      float* y = out.row(i).data();
      for (std::size_t j = 0; j < noise.size(); ++j) y[j] = x[j] * noise[j];
    }
  }

  void backward(const Pass& /*pass*/, ConstMatrix /*in*/, ConstMatrix /*out*/, ConstMatrix d_out,
                Matrix d_in) override {
    if (d_in.empty()) return;
    for (std::size_t i = 0; i < d_out.size(); ++i) d_in.data[i] = d_out.data[i] * drawn_[i];
  }

 private:
  RandomRows random_;
  std::uint32_t layer_;
  Noise noise_;
  AlignedVector<float> drawn_;  // [B, n], of the last training pass
};

template <class Noise>
std::unique_ptr<Layer> make(const LayerSetup& setup, const Json& description) {
  double rate = 0.5;
  Fields fields;
  fields.add("rate", &rate, "share of units dropped, or strength of the noise").at_least(0.0).below(1.0);
  read_options(description, fields);
  return std::make_unique<Dropout<Noise>>(setup, Noise{static_cast<float>(rate)});
}

}  // namespace

std::unique_ptr<Layer> make_dropout(const LayerSetup& setup, const Json& description) {
  return make<Bernoulli>(setup, description);
}

std::unique_ptr<Layer> make_gaussian_dropout(const LayerSetup& setup, const Json& description) {
  return make<Gaussian>(setup, description);
}

}  // namespace lockstep::nn
