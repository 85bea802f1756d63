// SPDX-License-Identifier: BSD-3-Clause
// Batch normalisation of vectors and images.
#include <algorithm>
#include <cmath>
#include <utility>
#include <vector>

#include "core/error.hpp"
#include "nn/layers/layers.hpp"

namespace lockstep::nn {
namespace {

/// Calls visit(channel, values of one channel of one row) for all of them; for vectors every element is a
/// channel of its own.
template <class Visit>
void for_planes(const SampleShape& shape, std::size_t rows, Visit visit) {
  const std::size_t positions = shape.height * shape.width;
  for (std::size_t i = 0; i < rows; ++i)
    for (std::size_t c = 0; c < shape.channels; ++c)
      visit(c, (i * shape.channels + c) * positions, positions);
}

/// Sum of term(0) .. term(count - 1), in several lanes that are vectors.
template <class Term>
double sum_of(std::size_t count, Term term) {
  constexpr std::size_t lanes = 16;
  double sum = 0.0;
  std::size_t p = 0;
  if (count >= lanes) {
    float sums[lanes] = {};
    for (; p + lanes <= count; p += lanes)
      for (std::size_t l = 0; l < lanes; ++l) sums[l] += term(p + l);
    for (const float lane : sums) sum += static_cast<double>(lane);
  }
  for (; p < count; ++p) sum += static_cast<double>(term(p));
  return sum;
}

/// out = gamma x^ + beta with x^ = (in - mean) / sqrt(variance + epsilon), of each channel over the rows and
/// positions of the batch (Ioffe & Szegedy 2015). In training mean and variance are the batch's; they move
/// the running ones by `momentum` of the way, for which the variance is the unbiased one. Evaluation uses
/// those. With N values a channel, d_in = gamma / sqrt(variance + epsilon) (d_out - sum(d_out) / N - x^
/// sum(d_out x^) / N). Where several ranks train a batch, all these sums are over all of them. Parameters:
/// gamma [C], beta [C]. State: running mean [C], running variance [C].
class BatchNorm final : public Layer {
 public:
  BatchNorm(const LayerSetup& setup, double momentum, double epsilon)
      : Layer(setup.in, setup.in,
              {.parameters = {{"gamma", {setup.in.channels}}, {"beta", {setup.in.channels}}},
               .state = {{"running_mean", {setup.in.channels}}, {"running_variance", {setup.in.channels}}},
               .depends_on_batch = true}),
        momentum_(momentum),
        epsilon_(epsilon),
        mean_(channels()),
        inverse_deviation_(channels()),
        sums_(2 * channels() + 1),
        own_sums_(2 * channels()) {}

  void bind(std::span<float> parameters) override {
    gamma_ = parameters.first(channels());
    beta_ = parameters.last(channels());
  }
  void bind_state(std::span<float> state) override {
    running_mean_ = state.first(channels());
    running_variance_ = state.last(channels());
  }
  void initialize() override {
    std::ranges::fill(gamma_, 1.0F);
    std::ranges::fill(beta_, 0.0F);
    std::ranges::fill(running_mean_, 0.0F);
    std::ranges::fill(running_variance_, 1.0F);
  }

  void forward(const ForwardContext& context, ConstMatrix in, Matrix out) override {
    if (context.training)
      measure(context, in);
    else
      for (std::size_t c = 0; c < channels(); ++c)
        set_statistics(c, static_cast<double>(running_mean_[c]), static_cast<double>(running_variance_[c]));
    for_planes(this->in(), in.rows, [&](std::size_t c, std::size_t begin, std::size_t count) {
      const float* __restrict x = in.data + begin;
      float* __restrict y = out.data + begin;
      const float factor = gamma_[c] * inverse_deviation_[c];
      const float mean = mean_[c], beta = beta_[c];
      for (std::size_t p = 0; p < count; ++p) y[p] = factor * (x[p] - mean) + beta;
    });
  }

  void backward(const ForwardContext& context, ConstMatrix in, ConstMatrix /*out*/, ConstMatrix d_out,
                Matrix d_in) override {
    sum_gradients(in, d_out);
    has_own_sums_ = true;
    const std::span<double> sums = std::span(sums_).first(2 * channels());
    std::ranges::copy(own_sums_, sums.begin());
    if (context.sum_over_ranks != nullptr) (*context.sum_over_ranks)(sums);
    for_planes(this->in(), in.rows, [&](std::size_t c, std::size_t begin, std::size_t count) {
      const float* __restrict x = in.data + begin;
      const float* __restrict d_y = d_out.data + begin;
      float* __restrict d_x = d_in.data + begin;
      const float factor = gamma_[c] * inverse_deviation_[c];
      const float mean = mean_[c];
      const auto of_one = static_cast<float>(sums[c] / count_);
      const auto of_centred = static_cast<float>(sums[channels() + c] / count_) * inverse_deviation_[c];
      for (std::size_t p = 0; p < count; ++p)
        d_x[p] = factor * (d_y[p] - of_one - of_centred * (x[p] - mean));
    });
  }

  void add_gradient(ConstMatrix in, ConstMatrix d_out, const GradientTarget& target) override {
    if (!std::exchange(has_own_sums_, false)) sum_gradients(in, d_out);
    // sums of d_out are beta's gradient, those of d_out x^ gamma's
    for (std::size_t c = 0; c < channels(); ++c) {
      add_to(target.values[c], own_sums_[channels() + c], target);
      add_to(target.values[channels() + c], own_sums_[c], target);
    }
  }

 private:
  [[nodiscard]] std::size_t channels() const { return in().channels; }

  void set_statistics(std::size_t c, double mean, double variance) {
    mean_[c] = static_cast<float>(mean);
    inverse_deviation_[c] = static_cast<float>(1.0 / std::sqrt(variance + epsilon_));
  }

  // Each rank's squares are about its own mean, so that they lose nothing where the mean is large. What goes
  // between ranks is a channel's sum and, in double precision, its sum of squares.
  void measure(const ForwardContext& context, ConstMatrix in) {
    std::ranges::fill(sums_, 0.0);
    double* const sum = sums_.data();
    double* const squares = sum + channels();
    double& count = sums_.back();
    const std::size_t own_count = in.rows * this->in().height * this->in().width;
    for_planes(this->in(), in.rows, [&](std::size_t c, std::size_t begin, std::size_t values) {
      const float* __restrict x = in.data + begin;
      sum[c] += sum_of(values, [x](std::size_t p) { return x[p]; });
    });
    if (own_count > 0)
      for (std::size_t c = 0; c < channels(); ++c)
        mean_[c] = static_cast<float>(sum[c] / static_cast<double>(own_count));
    for_planes(this->in(), in.rows, [&](std::size_t c, std::size_t begin, std::size_t values) {
      const float* __restrict x = in.data + begin;
      const float mean = mean_[c];
      squares[c] += sum_of(values, [x, mean](std::size_t p) { return (x[p] - mean) * (x[p] - mean); });
    });
    count = static_cast<double>(own_count);
    if (context.sum_over_ranks != nullptr) sum_statistics(*context.sum_over_ranks);
    count_ = count;
    if (count_ == 0.0) return;
    for (std::size_t c = 0; c < channels(); ++c) use(c, sum[c] / count_, squares[c]);
  }

  // From squares about the rank's own mean to those about the mean of all.
  void sum_statistics(const SumOverRanks& sum_over_ranks) {
    double* const sum = sums_.data();
    double* const squares = sum + channels();
    const auto shift = [&](double sign) {
      const double count = sums_.back();
      if (count == 0.0) return;
      for (std::size_t c = 0; c < channels(); ++c)
        squares[c] = std::max(0.0, squares[c] + sign * sum[c] * sum[c] / count);
    };
    shift(1.0);
    sum_over_ranks(sums_);
    shift(-1.0);
  }

  void use(std::size_t c, double mean, double squares) {
    set_statistics(c, mean, squares / count_);
    const auto move = [this](float& running, double value) {
      running = static_cast<float>((1.0 - momentum_) * static_cast<double>(running) + momentum_ * value);
    };
    move(running_mean_[c], mean);
    if (count_ > 1.0) move(running_variance_[c], squares / (count_ - 1.0));  // one value has no variance
  }

  void sum_gradients(ConstMatrix in, ConstMatrix d_out) {
    std::ranges::fill(own_sums_, 0.0);
    for_planes(this->in(), in.rows, [&](std::size_t c, std::size_t begin, std::size_t count) {
      const float* __restrict x = in.data + begin;
      const float* __restrict d_y = d_out.data + begin;
      const float mean = mean_[c];
      own_sums_[c] += sum_of(count, [d_y](std::size_t p) { return d_y[p]; });
      own_sums_[channels() + c] +=
          static_cast<double>(inverse_deviation_[c]) *
          sum_of(count, [x, d_y, mean](std::size_t p) { return d_y[p] * (x[p] - mean); });
    });
  }

  static void add_to(float& value, double gradient, const GradientTarget& target) {
    value = target.scale * static_cast<float>(gradient) + (target.beta == 0.0F ? 0.0F : target.beta * value);
  }

  double momentum_, epsilon_;
  std::span<float> gamma_, beta_, running_mean_, running_variance_;
  AlignedVector<float> mean_, inverse_deviation_;  // [C], of the last forward pass
  double count_ = 0.0;                             // of values a channel in that pass, over all ranks
  std::vector<double> sums_;      // [C], [C], count: of values and squares, or of gradients; over all ranks
  std::vector<double> own_sums_;  // [C] of d_out, [C] of d_out x^: over this rank's rows
  bool has_own_sums_ = false;     // backward has left them for add_gradient
};

}  // namespace

std::unique_ptr<Layer> make_batch_norm(const LayerSetup& setup, const Json& description) {
  double momentum = 0.1;
  double epsilon = 1e-5;
  Options options;
  options.add("momentum", &momentum, "how far a batch moves the running statistics").above(0.0).at_most(1.0);
  options.add("epsilon", &epsilon, "added to the variance").above(0.0);
  read_options(description, options);
  return std::make_unique<BatchNorm>(setup, momentum, epsilon);
}

}  // namespace lockstep::nn
