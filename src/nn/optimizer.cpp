// SPDX-License-Identifier: BSD-3-Clause
// SGD with momentum, Adam and AdamW.
#include "nn/optimizer.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <cassert>
#include <cmath>
#include <cstdint>

#include "core/aligned.hpp"
#include "core/names.hpp"

namespace lockstep::nn {
namespace {

// What an optimizer remembers of a gradient that has become zero, as behind a ReLU that is off for good,
// decays until rounding keeps it at the smallest subnormal number for ever, and CPUs take ten times as long
// over those.
float normal_or_zero(float value) {
  constexpr float smallest = 1e-36F;  // no parameter is moved by less
  return std::abs(value) < smallest ? 0.0F : value;
}

// Calls step(i) for each parameter. Where there is room for it in `before`, keeps what w was, and returns
// false if a gradient is not finite.
template <class Step>
bool for_each(std::span<const float> w, std::span<const float> g, std::span<float> before, Step step) {
  if (before.empty()) {
    for (std::size_t i = 0; i < w.size(); ++i) step(i);
    return true;
  }
  assert(before.size() >= w.size());
  constexpr std::uint32_t without_sign = 0x7FFFFFFF, infinity = 0x7F800000;
  std::uint32_t largest = 0;
  for (std::size_t i = 0; i < w.size(); ++i) {
    largest = std::max(largest, std::bit_cast<std::uint32_t>(g[i]) & without_sign);
    before[i] = w[i];
    step(i);
  }
  return largest < infinity;
}

/// g' = g + weight_decay w;  w -= rate g'
class Sgd final : public Optimizer {
 public:
  explicit Sgd(const OptimizerOptions& options) : weight_decay_(static_cast<float>(options.weight_decay)) {}

  bool update_checked(std::size_t /*place*/, std::span<float> parameters, std::span<const float> gradients,
                      float rate, std::span<float> before) override {
    float* __restrict w = parameters.data();
    const float* __restrict g = gradients.data();
    const float decay = weight_decay_;
    return for_each(parameters, gradients, before,
                    [=](std::size_t i) { w[i] -= rate * (g[i] + decay * w[i]); });
  }

  [[nodiscard]] std::optional<PlainStep> plain_step(float rate) const override {
    return PlainStep{.rate = rate, .beta = 1.0F - rate * weight_decay_};
  }
  [[nodiscard]] Work work(std::size_t count) const override { return array_work("sgd", count, 3, 4); }

 private:
  float weight_decay_;
};

/// g' = g + weight_decay w;  v = momentum v + g';  w -= rate v, or for Nesterov  w -= rate (g' + momentum v)
/// (Polyak's heavy ball; Sutskever et al. 2013).
class MomentumSgd final : public Optimizer {
 public:
  explicit MomentumSgd(const OptimizerOptions& options)
      : weight_decay_(static_cast<float>(options.weight_decay)),
        momentum_(static_cast<float>(options.momentum)),
        nesterov_(options.nesterov) {}

  void allocate(std::size_t count) override { velocity_.resize(count); }

  bool update_checked(std::size_t place, std::span<float> parameters, std::span<const float> gradients,
                      float rate, std::span<float> before) override {
    assert(place + parameters.size() <= velocity_.size());
    float* __restrict w = parameters.data();
    float* __restrict v = velocity_.data() + place;
    const float* __restrict g = gradients.data();
    const float decay = weight_decay_;
    const float momentum = momentum_;
    // Heavy ball moves by v, Nesterov by g' + momentum v.
    const float of_gradient = nesterov_ ? 1.0F : 0.0F;
    const float of_velocity = nesterov_ ? momentum : 1.0F;
    return for_each(parameters, gradients, before, [=](std::size_t i) {
      const float gradient = g[i] + decay * w[i];
      v[i] = normal_or_zero(momentum * v[i] + gradient);
      w[i] -= rate * (of_gradient * gradient + of_velocity * v[i]);
    });
  }

  [[nodiscard]] Work work(std::size_t count) const override {
    return array_work("sgd with momentum", count, 5, 8);
  }
  [[nodiscard]] OptimizerState state() override { return {.arrays = {{"velocity", velocity_}}}; }

 private:
  float weight_decay_, momentum_;
  bool nesterov_;
  AlignedVector<float> velocity_;
};

/// m = beta1 m + (1 - beta1) g;  v = beta2 v + (1 - beta2) g^2;  w -= rate m^ / (sqrt(v^) + epsilon), with m^
/// and v^ the bias-corrected moments (Kingma & Ba 2015). Weight decay is added to the gradient (Adam), or
/// taken off the parameters directly: w -= rate weight_decay w (AdamW, Loshchilov & Hutter 2019).
class Adam final : public Optimizer {
 public:
  Adam(const OptimizerOptions& options, bool decoupled) : options_(options), decoupled_(decoupled) {}

  void allocate(std::size_t count) override {
    first_.resize(count);
    second_.resize(count);
  }
  void begin_step() override { ++step_; }

  bool update_checked(std::size_t place, std::span<float> parameters, std::span<const float> gradients,
                      float rate, std::span<float> before) override {
    assert(step_ > 0 && place + parameters.size() <= first_.size());
    float* __restrict w = parameters.data();
    float* __restrict m = first_.data() + place;
    float* __restrict v = second_.data() + place;
    const float* __restrict g = gradients.data();
    const auto steps = static_cast<double>(step_);
    const auto beta1 = static_cast<float>(options_.beta1);
    const auto beta2 = static_cast<float>(options_.beta2);
    const auto epsilon = static_cast<float>(options_.epsilon);
    const auto scale1 = static_cast<float>(1.0 / (1.0 - std::pow(options_.beta1, steps)));
    const auto scale2 = static_cast<float>(1.0 / (1.0 - std::pow(options_.beta2, steps)));
    const auto decay = static_cast<float>(options_.weight_decay);
    const float coupled_decay = decoupled_ ? 0.0F : decay;
    const float shrink = decoupled_ ? 1.0F - rate * decay : 1.0F;
    return for_each(parameters, gradients, before, [=](std::size_t i) {
      const float gradient = g[i] + coupled_decay * w[i];
      m[i] = normal_or_zero(beta1 * m[i] + (1.0F - beta1) * gradient);
      v[i] = normal_or_zero(beta2 * v[i] + (1.0F - beta2) * gradient * gradient);
      w[i] = shrink * w[i] - rate * (m[i] * scale1) / (std::sqrt(v[i] * scale2) + epsilon);
    });
  }

  [[nodiscard]] Work work(std::size_t count) const override {
    return array_work(decoupled_ ? "adamw" : "adam", count, 7, 18);
  }
  [[nodiscard]] OptimizerState state() override {
    return {.arrays = {{"first_moment", first_}, {"second_moment", second_}}, .steps = &step_};
  }

 private:
  OptimizerOptions options_;
  bool decoupled_;
  std::size_t step_ = 0;
  AlignedVector<float> first_, second_;
};

std::unique_ptr<Optimizer> make_sgd(const OptimizerOptions& options) {
  if (options.momentum == 0.0) {
    if (options.nesterov)
      throw ConfigError({"nesterov needs a momentum", "momentum above 0", "0", "for example --momentum 0.9"});
    return std::make_unique<Sgd>(options);
  }
  return std::make_unique<MomentumSgd>(options);
}

std::unique_ptr<Optimizer> make_adam(const OptimizerOptions& options) {
  return std::make_unique<Adam>(options, false);
}

std::unique_ptr<Optimizer> make_adamw(const OptimizerOptions& options) {
  return std::make_unique<Adam>(options, true);
}

constexpr std::array table = {
    OptimizerRow{"sgd", "stochastic gradient descent; momentum, nesterov, weight_decay", make_sgd},
    OptimizerRow{"adam", "Adam; beta1, beta2, epsilon, weight_decay on the gradient", make_adam},
    OptimizerRow{"adamw", "Adam with decoupled weight decay", make_adamw},
};

}  // namespace

void OptimizerOptions::describe(Options& options) {
  options.add("optimizer", &optimizer, "how gradients move parameters").one_of(names_of(optimizer_table()));
  options.add("momentum", &momentum, "sgd: share of the last move that is kept").at_least(0).below(1);
  options.add("nesterov", &nesterov, "sgd: look-ahead momentum");
  options.add("weight_decay", &weight_decay, "pull of the parameters towards zero").at_least(0);
  options.add("beta1", &beta1, "adam, adamw: decay of the first moment").at_least(0).below(1);
  options.add("beta2", &beta2, "adam, adamw: decay of the second moment").at_least(0).below(1);
  options.add("epsilon", &epsilon, "adam, adamw: added to the root of the second moment").above(0);
}

std::span<const OptimizerRow> optimizer_table() { return table; }

std::unique_ptr<Optimizer> make_optimizer(const OptimizerOptions& options) {
  return find_row(optimizer_table(), "optimizer", options.optimizer).make(options);
}

}  // namespace lockstep::nn
