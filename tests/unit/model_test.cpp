// SPDX-License-Identifier: BSD-3-Clause
// Whole models: names, descriptions, gradients through all layers, initial weights; optimizers and schedules.
#include "nn/model.hpp"

#include <cmath>
#include <limits>
#include <numeric>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/error.hpp"
#include "core/json.hpp"
#include "nn/optimizer.hpp"
#include "trained_model.hpp"

namespace lockstep::nn {
namespace {

TEST(Model, NamedModelsHaveTheirKnownParameterCounts) {
  EXPECT_EQ(Trained("model_a").model.parameter_count(), 218058U);
  EXPECT_EQ(Trained("mlp:784-256-64-10").model.parameter_count(), 218058U);
  EXPECT_EQ(Trained("model_a_large").model.parameter_count(),
            784U * 1024 + 1024 + 1024 * 512 + 512 + 512 * 10 + 10);
  EXPECT_EQ(Trained("lenet5").model.parameter_count(), 61706U);
  EXPECT_EQ(Trained("resnet8").model.parameter_count(), 19978U);
}

TEST(Model, GradientsAgreeWithFiniteDifferencesThroughAllLayers) {
  for (const char* name : {"model_a", "lenet5", "resnet8", "mlp:784-32-16-10"}) {
    SCOPED_TRACE(name);
    Trained trained(name);
    trained.train();
    const auto gradients = trained.gradients;
    // Along the gradient itself the loss must rise by the gradient's squared norm times the step.
    const double norm2 = std::inner_product(gradients.begin(), gradients.end(), gradients.begin(), 0.0);
    const auto start = trained.parameters;
    const double h = 1e-3 / std::sqrt(norm2);
    const auto loss_at = [&](double step) {
      for (std::size_t i = 0; i < start.size(); ++i)
        trained.parameters[i] = static_cast<float>(start[i] + step * static_cast<double>(gradients[i]));
      return trained.train();
    };
    const double slope = (loss_at(h) - loss_at(-h)) / (2 * h);
    EXPECT_NEAR(slope / norm2, 1.0, 0.02);
  }
}

TEST(Model, ElementwiseLayersWorkWhereverTheyStand) {
  const Json description = {{"layers",
                             {{{"type", "tanh"}},
                              {{"type", "flatten"}},
                              {{"type", "sigmoid"}},
                              {{"type", "linear"}, {"units", 6}},
                              {{"type", "flatten"}},
                              {{"type", "tanh"}},
                              {{"type", "leaky_relu"}},
                              {{"type", "linear"}, {"units", 10}},
                              {{"type", "softmax"}},
                              {{"type", "sigmoid"}},
                              {{"type", "gaussian_dropout"}, {"rate", 0.3}}}},
                            {"loss", "mse"}};
  Trained trained(description, 3, 1, {1, 2, 4});
  trained.train();
  const auto gradients = trained.gradients;
  double largest = 0;
  for (std::size_t i = 0; i < trained.parameters.size(); ++i) {
    const float middle = trained.parameters[i];
    const auto loss = [&](float step) {
      trained.parameters[i] = middle + step;
      return trained.train();
    };
    const double slope = (loss(1e-2F) - loss(-1e-2F)) / 2e-2;
    trained.parameters[i] = middle;
    EXPECT_NEAR(gradients[i], slope, 2e-3) << i;
    largest = std::max(largest, std::abs(slope));
  }
  EXPECT_GT(largest, 0.02);  // there was something to compare
}

TEST(Model, TrainingIntoTheParametersIsAStepOfDescent) {
  for (const char* name : {"model_a", "lenet5"}) {
    SCOPED_TRACE(name);
    Trained apart(name);
    apart.train(0.25F);
    Trained together(name);
    together.model.train({.training = true, .epoch = 0, .sample_ids = together.ids}, together.examples(),
                         0.25F, {.first = 0, .values = together.parameters, .scale = -0.1F, .beta = 0.9F});
    for (std::size_t i = 0; i < apart.parameters.size(); ++i)
      ASSERT_NEAR(together.parameters[i], 0.9F * apart.parameters[i] - 0.1F * apart.gradients[i], 1e-5) << i;
  }
}

TEST(Model, GradientScaleScalesTheGradient) {
  Trained trained("mlp:784-16-10");
  trained.train(1.0F);
  const auto whole = trained.gradients;
  trained.train(0.25F);
  for (std::size_t i = 0; i < whole.size(); ++i) ASSERT_FLOAT_EQ(trained.gradients[i], 0.25F * whole[i]);
}

TEST(Model, InitialWeightsDependOnTheSeedAloneAndHaveXaviersVariance) {
  Trained one("model_a");
  Trained same("model_a", 9);
  Trained other("model_a", 4, 2);
  EXPECT_EQ(one.parameters, same.parameters);
  EXPECT_NE(one.parameters, other.parameters);
  double squares = 0;
  for (std::size_t i = 0; i < 784 * 256; ++i) squares += one.parameters[i] * one.parameters[i];
  EXPECT_NEAR(squares / (784 * 256) / (2.0 / (784 + 256)), 1.0, 0.02);
  EXPECT_EQ(one.parameters[784 * 256], 0.0F);  // bias
}

TEST(Model, ImpossibleDescriptionsAreErrors) {
  for (const char* name : {"model_b", "mlp:784", "mlp:", "mlp:784-x-10", "mlp:784-0-10", "mlp:100-10",
                           "mlp:784-9", "missing.json"})
    EXPECT_THROW(Trained{name}, ConfigError) << name;
  for (const char* text :
       {R"({"layers": [], "loss": "mse"})", R"({"layers": [{"type": "linear", "units": 10}]})",
        R"({"layers": [{"type": "flatten"}, {"type": "linear", "units": 10}], "loss": "msee"})",
        R"({"layers": [{"type": "linear", "units": 10}], "loss": "mse"})",
        R"({"layers": [{"type": "flatten"}], "loss": "mse"})",
        R"({"layers": [{"type": "flatten"}, {"type": "linear", "units": 10}], "loss": "mse", "x": 1})"})
    EXPECT_THROW(Trained{Json::parse(text)}, ConfigError) << text;
}

TEST(Model, ListsTheProductsOfAStep) {
  double flop = 0;
  for (const auto& shape : Trained("model_a").model.gemms(64)) flop += shape.flop();
  EXPECT_NEAR(flop * 60000 / 64 / 1e9, 54.3, 0.1);  // without the first layer's input gradient
}

std::vector<float> after_steps(const OptimizerOptions& options, int steps, float weight, float gradient) {
  const auto optimizer = make_optimizer(options);
  optimizer->allocate(1);
  std::vector<float> w = {weight};
  const std::vector<float> g = {gradient};
  for (int i = 0; i < steps; ++i) {
    optimizer->begin_step();
    optimizer->update(0, w, g, 0.1F);
  }
  return w;
}

TEST(Optimizers, MakeTheStepsOfTheirFormulas) {
  EXPECT_FLOAT_EQ(after_steps({.optimizer = "sgd"}, 2, 1, 2)[0], 1 - 0.4F);
  EXPECT_FLOAT_EQ(after_steps({.optimizer = "sgd", .weight_decay = 0.5}, 1, 1, 2)[0], 1 - 0.25F);
  EXPECT_FLOAT_EQ(after_steps({.optimizer = "sgd", .momentum = 0.5}, 2, 1, 2)[0], 1 - 0.2F - 0.3F);
  EXPECT_FLOAT_EQ(after_steps({.optimizer = "sgd", .momentum = 0.5, .nesterov = true}, 1, 1, 2)[0], 1 - 0.3F);
  // Bias correction makes Adam's first steps with a constant gradient exactly the rate.
  EXPECT_NEAR(after_steps({.optimizer = "adam"}, 3, 1, 2)[0], 1 - 0.3, 1e-5);
  EXPECT_NEAR(after_steps({.optimizer = "adamw", .weight_decay = 0.5}, 1, 1, 2)[0], 0.95 - 0.1, 1e-6);
  EXPECT_THROW((void)make_optimizer({.optimizer = "sgd", .nesterov = true}), ConfigError);
}

TEST(Optimizers, UpdateSliceBySliceAsInOnePiece) {
  for (const OptimizerRow& row : optimizer_table()) {
    const OptimizerOptions options{.optimizer = std::string(row.name),
                                   .momentum = row.name == "sgd" ? 0.9 : 0.0};
    std::vector<float> whole(100, 1.0F), slices(100, 1.0F), g(100);
    std::iota(g.begin(), g.end(), -50.0F);
    const auto one = make_optimizer(options);
    const auto other = make_optimizer(options);
    one->allocate(100);
    other->allocate(100);
    for (int step = 0; step < 3; ++step) {
      one->begin_step();
      one->update(0, whole, g, 0.01F);
      other->begin_step();
      for (const std::size_t begin : {30U, 0U, 60U}) {
        const std::size_t count = begin == 60 ? 40 : 30;
        other->update(begin, std::span(slices).subspan(begin, count), std::span(g).subspan(begin, count),
                      0.01F);
      }
    }
    EXPECT_EQ(whole, slices) << row.name;
  }
}

TEST(Optimizers, ReportAGradientThatIsNotFiniteAndKeepTheParametersOfBefore) {
  using Limits = std::numeric_limits<float>;
  constexpr std::size_t count = 67;  // whole vectors and a rest
  std::vector<float> start(count);
  std::iota(start.begin(), start.end(), -20.0F);
  for (const OptimizerRow& row : optimizer_table())
    for (const float value : {Limits::quiet_NaN(), Limits::infinity(), -Limits::infinity(), Limits::max(),
                              Limits::lowest(), -Limits::denorm_min()})
      for (std::size_t place = 0; place < count; ++place) {
        const auto one = make_optimizer({.optimizer = std::string(row.name)});
        const auto other = make_optimizer({.optimizer = std::string(row.name)});
        std::vector<float> checked = start, unchecked = start, before(count), g(count, 0.5F);
        g[place] = value;
        for (Optimizer* const optimizer : {one.get(), other.get()}) {
          optimizer->allocate(count);
          optimizer->begin_step();
        }
        ASSERT_EQ(one->update_checked(0, checked, g, 0.01F, before), std::isfinite(value))
            << row.name << ' ' << value << " at " << place;
        ASSERT_EQ(before, start) << row.name;
        other->update(0, unchecked, g, 0.01F);
        ASSERT_THAT(checked, testing::Pointwise(testing::NanSensitiveFloatEq(), unchecked)) << row.name;
      }
}

// Subnormal numbers would make every later step ten times as slow.
TEST(Optimizers, ForgetAGradientThatHasBecomeZero) {
  for (const OptimizerRow& row : optimizer_table()) {
    const auto optimizer = make_optimizer(
        {.optimizer = std::string(row.name), .momentum = row.name == "sgd" ? 0.9 : 0.0, .beta2 = 0.95});
    optimizer->allocate(1);
    std::vector<float> w = {1}, g = {1};
    std::size_t subnormal = 0;
    for (int step = 0; step < 3000; ++step) {
      optimizer->begin_step();
      optimizer->update(0, w, g, 0.1F);
      for (const auto& array : optimizer->state().arrays)
        subnormal += std::fpclassify(array.values[0]) == FP_SUBNORMAL;
      g = {0};
    }
    EXPECT_EQ(subnormal, 0U) << row.name;
    for (const auto& array : optimizer->state().arrays) EXPECT_EQ(array.values[0], 0.0F) << row.name;
  }
}

TEST(Schedules, FollowTheirFormulas) {
  EXPECT_DOUBLE_EQ(learning_rate_at({.learning_rate = 2}, 7, 10), 2);
  EXPECT_DOUBLE_EQ(learning_rate_at({.learning_rate = 2, .warmup_epochs = 4}, 1, 10), 0.5);
  EXPECT_DOUBLE_EQ(learning_rate_at({.learning_rate = 2, .schedule = "step", .decay_epochs = 3}, 6.5, 10),
                   0.02);
  EXPECT_NEAR(learning_rate_at({.learning_rate = 2, .schedule = "cosine"}, 5, 10), 1, 1e-12);
  EXPECT_NEAR(learning_rate_at({.learning_rate = 2, .schedule = "cosine"}, 10, 10), 0, 1e-12);
}

}  // namespace
}  // namespace lockstep::nn
