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
  void draw(const RandomRows& random, const ForwardContext& context, std::size_t row, std::uint32_t layer,
            std::span<float> numbers) const {
    random.uniform(context.epoch, context.sample_ids[row], layer, numbers);
  }
  [[nodiscard]] float noise(float number) const { return number < rate ? 0.0F : 1.0F / (1.0F - rate); }
};

/// Normal with mean 1 and standard deviation rate (1 - rate), as in the project that Lockstep grew out of:
/// milder than the usual sqrt(rate / (1 - rate)) of Srivastava et al.
struct Gaussian {
  float rate;
  void draw(const RandomRows& random, const ForwardContext& context, std::size_t row, std::uint32_t layer,
            std::span<float> numbers) const {
    random.normal(context.epoch, context.sample_ids[row], layer, numbers);
  }
  [[nodiscard]] float noise(float number) const { return 1.0F + rate * (1.0F - rate) * number; }
};

/// out = in * noise, d_in = d_out * noise; the noise of an element depends on (seed, epoch, sample, layer,
/// unit).
template <class Noise>
class Dropout final : public ElementwiseLayer {
 public:
  Dropout(const LayerSetup& setup, Noise noise)
      : ElementwiseLayer(setup.in),
        random_(setup.seed, Purpose::dropout),
        layer_(setup.index),
        noise_(noise),
        numbers_(setup.in.size()) {}

  void apply(const ForwardContext& context, std::size_t row, std::span<float> values,
             std::span<float> derivatives) override {
    if (!context.training) return;
    noise_.draw(random_, context, row, layer_, numbers_);
    const Noise noise = noise_;
    const float* __restrict number = numbers_.data();
    float* __restrict y = values.data();
    float* __restrict d = derivatives.data();
    for (std::size_t i = 0; i < values.size(); ++i) {
      const float factor = noise.noise(number[i]);
      y[i] *= factor;
      d[i] *= factor;
    }
  }

 private:
  RandomRows random_;
  std::uint32_t layer_;
  Noise noise_;
  AlignedVector<float> numbers_;  // of one row
};

template <class Noise>
std::unique_ptr<Layer> make(const LayerSetup& setup, const Json& description) {
  double rate = 0.5;
  Options options;
  options.add("rate", &rate, "share of units dropped, or strength of the noise").at_least(0.0).below(1.0);
  read_options(description, options);
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
