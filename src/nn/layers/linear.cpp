// SPDX-License-Identifier: BSD-3-Clause
// Fully connected layer.
#include <algorithm>

#include "core/aligned.hpp"
#include "core/error.hpp"
#include "core/json_text.hpp"
#include "nn/initializer.hpp"
#include "nn/layers/layers.hpp"
#include "nn/memory_check.hpp"
#include "nn/shardable_layer.hpp"

namespace lockstep::nn {
namespace {

using math::Op;

/// out = in W + b with in [B, n_in], W [n_in, n_out], b [n_out].
/// Backward: d_in = d_out W^T, dW = in^T d_out, db = column sums of d_out.
/// Parameters: W row by row, then b, which starts at zero.
class Linear final : public Layer, public ShardableLayer {
 public:
  Linear(const LayerSetup& setup, std::size_t units, std::string init)
      : Layer(setup.in, {units, 1, 1},
              {.parameters = {{"weight", {setup.in.size(), units}}, {"bias", {units}}}}),
        setup_(setup),
        init_(std::move(init)),
        column_sums_(units) {}

  void bind(std::span<float> parameters) override {
    weights_ = {parameters.data(), n_in(), n_out()};
    bias_ = parameters.last(n_out());
  }

  void initialize() override {
    initialize_weights(init_, setup_.seed, setup_.index, n_in(), n_out(), weights_.elements());
    std::ranges::fill(bias_, 0.0F);
  }

  void forward(const ForwardContext& /*context*/, ConstMatrix in, Matrix out) override {
    setup_.gemm->multiply_add_row(in, weights_, bias_, out);
  }

  void backward(const ForwardContext& /*context*/, ConstMatrix /*in*/, ConstMatrix /*out*/, ConstMatrix d_out,
                Matrix d_in) override {
    setup_.gemm->multiply(1.0F, d_out, Op::none, weights_, Op::transpose, 0.0F, d_in);
  }

  void add_gradient(ConstMatrix in, ConstMatrix d_out, const GradientTarget& target) override {
    const std::size_t first_row = target.first / n_out();
    const std::size_t rows = std::min(target.values.size() / n_out(), n_in() - first_row);
    if (rows > 0)
      setup_.gemm->multiply(target.scale, {in.data + first_row, in.rows, rows, in.stride}, Op::transpose,
                            d_out, Op::none, target.beta, {target.values.data(), rows, n_out()},
                            target.stores);
    if (rows * n_out() < target.values.size()) add_bias_gradient(d_out, target.values.last(n_out()), target);
  }

  /// Shards are groups of whole rows of W, as many as the products do well with; the bias goes with the last
  /// row.
  [[nodiscard]] std::size_t shard_begin(std::size_t parameter) const override {
    constexpr std::size_t rows_together = 8;
    const std::size_t group = rows_together * n_out();
    const std::size_t begin = (parameter + group - 1) / group * group;
    return begin < n_in() * n_out() ? begin : parameter_count();
  }

  [[nodiscard]] std::pair<std::size_t, std::size_t> input_columns(std::size_t first,
                                                                  std::size_t count) const override {
    return {first / n_out(), std::min((first + count) / n_out(), n_in())};
  }

  void forward_partial(ConstMatrix in, std::size_t first, std::size_t count, Matrix partial) override {
    const auto [begin, end] = input_columns(first, count);
    setup_.gemm->multiply(1.0F, {in.data + begin, in.rows, end - begin, in.stride}, Op::none,
                          {weights_.data + begin * n_out(), end - begin, n_out()}, Op::none, 0.0F, partial);
  }
  void sum_partials(std::span<const ConstMatrix> partials, Matrix out) override {
    for (std::size_t i = 0; i < out.rows; ++i) {
      float* __restrict sum = out.row(i).data();
      std::ranges::copy(bias_, sum);
      for (const ConstMatrix& partial : partials) {
        const float* __restrict from = partial.row(i).data();
        for (std::size_t j = 0; j < out.cols; ++j) sum[j] += from[j];
      }
    }
  }

  void list_gemms(std::size_t batch, bool needs_d_in, std::vector<math::GemmShape>& to) const override {
    to.push_back({Op::none, Op::none, batch, n_out(), n_in()});
    to.push_back({Op::transpose, Op::none, n_in(), n_out(), batch});
    if (needs_d_in) to.push_back({Op::none, Op::transpose, batch, n_in(), n_out()});
  }

 protected:
  [[nodiscard]] double flop(Pass /*pass*/) const override {
    return 2.0 * static_cast<double>(n_in() * n_out());
  }

 private:
  [[nodiscard]] std::size_t n_in() const { return in().size(); }
  [[nodiscard]] std::size_t n_out() const { return out().size(); }

  void add_bias_gradient(ConstMatrix d_out, std::span<float> bias, const GradientTarget& target) {
    float* __restrict sum = column_sums_.data();
    std::ranges::fill(column_sums_, 0.0F);
    for (std::size_t i = 0; i < d_out.rows; ++i) {
      const float* __restrict row = d_out.row(i).data();
      for (std::size_t j = 0; j < d_out.cols; ++j) sum[j] += row[j];
    }
    for (std::size_t j = 0; j < bias.size(); ++j)
      bias[j] = target.scale * sum[j] + (target.beta == 0.0F ? 0.0F : target.beta * bias[j]);
  }

  LayerSetup setup_;
  std::string init_;
  Matrix weights_;
  std::span<float> bias_;
  AlignedVector<float> column_sums_;
};

}  // namespace

std::unique_ptr<Layer> make_linear(const LayerSetup& setup, const Json& description) {
  std::size_t units = 0;
  std::string init = "xavier";
  Options options;
  options.add("units", &units, "outputs").at_least(1).at_most(1e9);
  options.add("init", &init, "initial weights").one_of(initializer_names());
  read_options(description, options);
  if (units == 0)
    throw ConfigError({"a linear layer needs its units", R"("units": 256)", to_text(description)});
  if (!setup.in.is_flat())
    throw ConfigError(
        {"a linear layer takes vectors", "a flatten layer before it", "input " + to_string(setup.in)});
  check_memory(static_cast<double>(units) * (static_cast<double>(setup.in.size()) + 1));
  return std::make_unique<Linear>(setup, units, init);
}

}  // namespace lockstep::nn
