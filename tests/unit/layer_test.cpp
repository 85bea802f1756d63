// SPDX-License-Identifier: BSD-3-Clause
// Layers and losses: derivatives against finite differences, and values that can be worked out by hand.
#include "nn/layer.hpp"

#include <cmath>
#include <numeric>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/error.hpp"
#include "core/json.hpp"
#include "nn/loss.hpp"
#include "nn/model.hpp"

namespace lockstep::nn {
namespace {

using testing::HasSubstr;

constexpr std::size_t batch = 3;

std::vector<float> numbers(std::uint32_t id, std::size_t size) {
  std::vector<float> values(size);
  RandomRows(11, Purpose::synthetic_data).normal(id, 0, 0, values);
  return values;
}

const math::Gemm& gemm() {
  static const auto backend = math::make_gemm("eigen");
  return *backend;
}

struct Subject {
  Json description;
  SampleShape in;
};

std::vector<Subject> subjects() {
  const SampleShape flat{7, 1, 1};
  const SampleShape image{2, 6, 5};
  std::vector<Subject> all = {
      {{{"type", "linear"}, {"units", 4}}, flat},
      {{{"type", "linear"}, {"units", 4}, {"init", "he"}}, flat},
      {{{"type", "conv2d"}, {"channels", 3}, {"kernel", 3}}, image},
      {{{"type", "conv2d"}, {"channels", 2}, {"kernel", 3}, {"stride", 2}, {"padding", 1}}, image},
      {{{"type", "conv2d"}, {"channels", 2}, {"kernel", 5}, {"padding", 4}}, image},
      {{{"type", "conv2d"}, {"channels", 1}, {"kernel", 1}, {"stride", 3}, {"padding", 2}}, image},
      {{{"type", "global_avg_pool2d"}}, image},
      {{{"type", "batch_norm"}}, flat},
      {{{"type", "batch_norm"}, {"epsilon", 0.1}}, image},
      {{{"type", "add"}, {"inputs", {"a", "b"}}}, image},
      {{{"type", "max_pool2d"}, {"kernel", 2}}, image},
      {{{"type", "max_pool2d"}, {"kernel", 3}, {"stride", 1}}, image},
      {{{"type", "leaky_relu"}, {"slope", 0.3}}, flat},
      {{{"type", "dropout"}, {"rate", 0.4}}, flat},
      {{{"type", "gaussian_dropout"}, {"rate", 0.2}}, flat}};
  for (const char* plain : {"relu", "sigmoid", "tanh", "softmax", "flatten"})
    all.push_back({{{"type", plain}}, plain == std::string("flatten") ? image : flat});
  return all;
}

std::unique_ptr<Layer> make(const Subject& subject) {
  const std::vector<SampleShape> inputs(subject.description.value("inputs", Json::array({1})).size(),
                                        subject.in);
  return make_layer({.in = subject.in, .index = 4, .seed = 5, .gemm = &gemm(), .inputs = inputs},
                    subject.description);
}

/// A layer with its arrays, and the scalar sum_i c_i out_i of its outputs with fixed random c.
struct Bench {
  explicit Bench(const Subject& subject)
      : layer(make(subject)),
        in(numbers(1, batch * subject.in.size())),
        out(batch * layer->out().size()),
        coefficients(numbers(2, out.size())),
        parameters(layer->parameter_count()),
        gradients(layer->parameter_count()),
        state(layer->state_count()) {
    layer->bind(parameters);
    layer->bind_state(state);
    layer->initialize();
    for (std::size_t i = 0; i < parameters.size(); ++i) parameters[i] += 0.1F;  // biases too
    layer->reserve(batch);
  }
  double value() {
    layer->forward(pass, {in.data(), batch, layer->in().size()}, {out.data(), batch, layer->out().size()});
    return std::inner_product(out.begin(), out.end(), coefficients.begin(), 0.0);
  }
  std::unique_ptr<Layer> layer;
  std::vector<float> in, out, coefficients, parameters, gradients, state;
  std::vector<std::uint32_t> ids{10, 20, 30};
  ForwardContext pass{.training = true, .epoch = 1, .sample_ids = ids};
};

void expect_derivative(Bench& bench, std::vector<float>& variables, const std::vector<float>& derivative) {
  constexpr float h = 1e-2F;
  for (std::size_t i = 0; i < variables.size(); ++i) {
    const float middle = variables[i];
    const auto slope = [&](float step) {
      variables[i] = middle + step;
      const double up = bench.value();
      variables[i] = middle - step;
      const double down = bench.value();
      variables[i] = middle;
      return (up - down) / (2.0 * static_cast<double>(step));
    };
    // Where two steps disagree there is a kink (ReLU, max) between them, and no derivative to compare with.
    const double coarse = slope(h);
    const double fine = slope(h / 4);
    if (std::abs(coarse - fine) > 5e-3) continue;
    EXPECT_NEAR(derivative[i], fine, 5e-3) << "variable " << i;
  }
}

TEST(Layers, DerivativesAgreeWithFiniteDifferences) {
  for (const Subject& subject : subjects()) {
    SCOPED_TRACE(subject.description.dump());
    Bench bench(subject);
    if (bench.layer->traits().only_reshapes) continue;
    std::vector<float> d_in(bench.in.size());
    std::ranges::fill(bench.gradients, std::nanf(""));  // is set, not read
    bench.value();
    bench.layer->backward(bench.pass, {bench.in.data(), batch, bench.layer->in().size()},
                          {bench.out.data(), batch, bench.layer->out().size()},
                          {bench.coefficients.data(), batch, bench.layer->out().size()},
                          {d_in.data(), batch, bench.layer->in().size()});
    bench.layer->add_gradient({bench.in.data(), batch, bench.layer->in().size()},
                              {bench.coefficients.data(), batch, bench.layer->out().size()},
                              {.first = 0, .values = bench.gradients});
    const auto gradients = bench.gradients;
    expect_derivative(bench, bench.in, d_in);
    expect_derivative(bench, bench.parameters, gradients);
  }
}

TEST(Layers, AddTheirGradientScaledToWhatIsKept) {
  for (const Subject& subject : subjects()) {
    SCOPED_TRACE(subject.description.dump());
    Bench bench(subject);
    if (bench.parameters.empty()) continue;
    bench.value();
    const ConstMatrix in(bench.in.data(), batch, bench.layer->in().size());
    const ConstMatrix d_out(bench.coefficients.data(), batch, bench.layer->out().size());
    bench.layer->add_gradient(in, d_out, {.first = 0, .values = bench.gradients});
    std::vector<float> stepped = bench.parameters;
    bench.layer->add_gradient(in, d_out, {.first = 0, .values = stepped, .scale = -0.5F, .beta = 0.25F});
    for (std::size_t i = 0; i < stepped.size(); ++i)
      EXPECT_NEAR(stepped[i], 0.25F * bench.parameters[i] - 0.5F * bench.gradients[i], 1e-5) << i;
  }
}

TEST(Layers, EveryRowOfTheTableIsAmongTheSubjects) {
  for (const LayerRow& row : layer_table())
    EXPECT_TRUE(std::ranges::any_of(subjects(), [&](const Subject& s) {
      return s.description["type"] == row.name;
    })) << row.name;
}

TEST(Layers, RefuseUnknownOptionsByName) {
  const LayerSetup setup{.in = {4, 1, 1}, .index = 0, .seed = 1, .gemm = &gemm()};
  try {
    (void)make_layer(setup, {{"type", "linear"}, {"unit", 3}});
    FAIL();
  } catch (const ConfigError& error) {
    EXPECT_THAT(error.what(), HasSubstr("did you mean 'units'"));
  }
  EXPECT_THROW((void)make_layer(setup, {{"type", "liner"}}), ConfigError);
  EXPECT_THROW((void)make_layer(setup, {{"units", 3}}), ConfigError);
  EXPECT_THROW((void)make_layer(setup, {{"type", "conv2d"}, {"channels", 1}, {"kernel", 9}}), ConfigError);
}

std::vector<float> run(const Json& description, SampleShape shape, std::vector<float> in,
                       const ForwardContext& context = {}) {
  const auto layer = make_layer({.in = shape, .index = 2, .seed = 5, .gemm = &gemm()}, description);
  const std::size_t rows = in.size() / shape.size();
  layer->reserve(rows);
  std::vector<float> out(rows * layer->out().size());
  layer->forward(context, {in.data(), rows, shape.size()}, {out.data(), rows, layer->out().size()});
  return out;
}

TEST(Layers, ComputeWhatTheirFormulasSay) {
  EXPECT_THAT(run({{"type", "leaky_relu"}, {"slope", 0.3}}, {3, 1, 1}, {-2, 0, 5}),
              testing::ElementsAre(-0.6F, 0, 5));
  EXPECT_THAT(run({{"type", "max_pool2d"}, {"kernel", 2}}, {1, 2, 4}, {1, 2, 5, 4, 3, 0, 7, 6}),
              testing::ElementsAre(3, 7));
  const auto shares = run({{"type", "softmax"}}, {3, 1, 1}, {1000, 1000, -1000});
  EXPECT_THAT(shares, testing::ElementsAre(0.5F, 0.5F, 0));
}

/// Outputs and input gradients as the definition says, one window after the other; output gradients 1, 2, ...
std::pair<std::vector<float>, std::vector<float>> pool_one_by_one(const std::vector<float>& in,
                                                                  SampleShape shape, SampleShape out,
                                                                  std::size_t kernel, std::size_t stride) {
  std::vector<float> values;
  std::vector<float> d_in(in.size());
  for (std::size_t plane = 0; plane < in.size() / (shape.height * shape.width); ++plane)
    for (std::size_t y = 0; y < out.height; ++y)
      for (std::size_t x = 0; x < out.width; ++x) {
        const auto at = [&](std::size_t u, std::size_t v) {
          return (plane * shape.height + y * stride + u) * shape.width + x * stride + v;
        };
        std::size_t best = at(0, 0);
        for (std::size_t u = 0; u < kernel; ++u)
          for (std::size_t v = 0; v < kernel; ++v)
            if (in[at(u, v)] > in[best]) best = at(u, v);
        values.push_back(in[best]);
        d_in[best] += static_cast<float>(values.size());
      }
  return {values, d_in};
}

TEST(MaxPool2d, TakesTheFirstOfTheLargestWhateverTheSizes) {
  constexpr std::size_t samples = 2;
  for (const SampleShape shape : {SampleShape{3, 8, 8}, {2, 28, 28}, {1, 9, 35}, {2, 7, 6}})
    for (const std::uint32_t kernel : {1U, 2U, 3U})
      for (const std::size_t stride : {1U, 2U, 3U}) {
        const auto layer = make_layer({.in = shape, .gemm = &gemm()},
                                      {{"type", "max_pool2d"}, {"kernel", kernel}, {"stride", stride}});
        const std::size_t width = layer->out().size();
        std::vector<float> in = numbers(kernel, samples * shape.size());
        for (float& value : in) value = std::round(value);  // many are equal
        std::vector<float> out(samples * width);
        std::vector<float> d_out(out.size());
        std::vector<float> d_in(in.size(), -1.0F);
        std::iota(d_out.begin(), d_out.end(), 1.0F);
        layer->reserve(samples);
        layer->forward({}, {in.data(), samples, shape.size()}, {out.data(), samples, width});
        layer->backward({}, {in.data(), samples, shape.size()}, {out.data(), samples, width},
                        {d_out.data(), samples, width}, {d_in.data(), samples, shape.size()});
        const auto [values, derivatives] = pool_one_by_one(in, shape, layer->out(), kernel, stride);
        EXPECT_EQ(out, values) << to_string(shape) << ", kernel " << kernel << ", stride " << stride;
        EXPECT_EQ(d_in, derivatives) << to_string(shape) << ", kernel " << kernel << ", stride " << stride;
      }
}

TEST(Dropout, HasMeanOneTheRightVarianceAndDoesNothingInEvaluation) {
  const std::vector<float> ones(200000, 1.0F);
  const std::vector<std::uint32_t> ids = {3};
  const ForwardContext training{.training = true, .epoch = 0, .sample_ids = ids};
  const std::vector<std::tuple<std::string, double, double>> kinds = {{"dropout", 0.2, 0.2 / 0.8},
                                                                      {"gaussian_dropout", 0.2, 0.16 * 0.16}};
  for (const auto& [type, rate, variance] : kinds) {
    const Json description = {{"type", type}, {"rate", rate}};
    const SampleShape shape{ones.size(), 1, 1};
    EXPECT_EQ(run(description, shape, ones), ones);
    const auto noise = run(description, shape, ones, training);
    double sum = 0;
    double squares = 0;
    for (const float value : noise) {
      sum += value;
      squares += (value - 1.0) * (value - 1.0);
    }
    const auto n = static_cast<double>(noise.size());
    EXPECT_NEAR(sum / n, 1.0, 0.005) << type;
    EXPECT_NEAR(squares / n, variance, 0.02 * variance) << type;
  }
}

TEST(Dropout, DependsOnTheSampleNotOnItsPlaceInTheBatch) {
  const std::vector<float> ones(2 * 50, 1.0F);
  const std::vector<std::uint32_t> ids = {3, 8};
  const std::vector<std::uint32_t> swapped = {8, 3};
  const Json description = {{"type", "dropout"}, {"rate", 0.5}};
  const auto first = run(description, {50, 1, 1}, ones, {.training = true, .epoch = 1, .sample_ids = ids});
  const auto second =
      run(description, {50, 1, 1}, ones, {.training = true, .epoch = 1, .sample_ids = swapped});
  EXPECT_TRUE(std::equal(first.begin(), first.begin() + 50, second.begin() + 50));
  EXPECT_FALSE(std::equal(first.begin(), first.begin() + 50, second.begin()));
}

TEST(Losses, DerivativesAgreeWithFiniteDifferences) {
  const std::vector<std::int32_t> labels = {2, 0, 3};
  for (const LossRow& row : loss_table()) {
    SCOPED_TRACE(row.name);
    auto out = numbers(6, batch * 4);
    for (float& value : out) value = 0.2F + std::abs(value);  // probabilities must be positive
    std::vector<float> d_out(out.size());
    const Matrix view(out.data(), batch, 4);
    row.evaluate(view, labels, 2.0F, {d_out.data(), batch, 4});
    for (std::size_t i = 0; i < out.size(); ++i) {
      const float middle = out[i];
      out[i] = middle + 1e-3F;
      const double up = row.evaluate(view, labels, 1.0F, {});
      out[i] = middle - 1e-3F;
      const double down = row.evaluate(view, labels, 1.0F, {});
      out[i] = middle;
      EXPECT_NEAR(d_out[i], 2.0 * (up - down) / 2e-3, 2e-2);
    }
  }
}

TEST(CountCorrect, TakesTiesAndNanAsWrong) {
  const float nan = std::nanf("");
  const std::vector<float> out = {0, 1, 0, /**/ 1, 1, 0, /**/ nan, nan, nan, /**/ 5, 1, 2};
  const std::vector<std::int32_t> labels = {1, 0, 0, 0};
  EXPECT_EQ(count_correct({out.data(), 4, 3}, labels), 2U);
}

}  // namespace
}  // namespace lockstep::nn
