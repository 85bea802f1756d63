// SPDX-License-Identifier: BSD-3-Clause
// Models that are no chains: values read twice, sums, and what descriptions of them may not say.
#include <cmath>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/error.hpp"
#include "core/json.hpp"
#include "nn/sharded_model.hpp"
#include "trained_model.hpp"

namespace lockstep::nn {
namespace {

using testing::HasSubstr;

Json model_of(const std::string& layers) {
  return Json::parse(R"({"loss": "cross_entropy_logits", "layers": [)" + layers + "]}");
}

void expect_finite_differences(Trained& trained) {
  trained.train();
  const auto gradients = trained.gradients;
  double largest = 0;
  for (std::size_t i = 0; i < trained.parameters.size(); ++i) {
    const float middle = trained.parameters[i];
    const auto slope = [&](float step) {
      trained.parameters[i] = middle + step;
      const double up = trained.train();
      trained.parameters[i] = middle - step;
      const double down = trained.train();
      trained.parameters[i] = middle;
      return (up - down) / (2.0 * static_cast<double>(step));
    };
    const double coarse = slope(1e-2F);
    const double fine = slope(2.5e-3F);
    if (std::abs(coarse - fine) > 4e-3) continue;  // a kink
    EXPECT_NEAR(gradients[i], fine, 4e-3) << i;
    largest = std::max(largest, std::abs(fine));
  }
  EXPECT_GT(largest, 0.05);  // there was something to compare
}

// A value read by two layers of which one is element-wise, a sum of three, one value twice in a sum, and the
// model's input read at three places.
const char* const tangled = R"(
    {"type": "conv2d", "name": "stem", "channels": 2, "kernel": 3, "padding": 1},
    {"type": "tanh", "name": "on"},
    {"type": "conv2d", "channels": 2, "kernel": 3, "padding": 1},
    {"type": "sigmoid", "name": "main"},
    {"type": "conv2d", "name": "side", "inputs": ["input"], "channels": 2, "kernel": 1},
    {"type": "relu", "name": "rectified"},
    {"type": "add", "inputs": ["main", "on", "side"], "name": "sum"},
    {"type": "leaky_relu", "name": "leaky"},
    {"type": "add", "inputs": ["sum", "sum", "rectified", "leaky"]},
    {"type": "max_pool2d", "kernel": 2, "name": "pooled"},
    {"type": "flatten"},
    {"type": "linear", "units": 10, "name": "one"},
    {"type": "global_avg_pool2d", "inputs": ["pooled"]},
    {"type": "linear", "units": 10, "name": "two"},
    {"type": "flatten", "inputs": ["input"]},
    {"type": "linear", "units": 10, "name": "three"},
    {"type": "add", "inputs": ["one", "two", "three"]})";

TEST(Graph, GradientsOfValuesThatAreReadTwiceAgreeWithFiniteDifferences) {
  Trained trained(model_of(tangled), 3, 1, {1, 4, 5});
  expect_finite_differences(trained);
}

// Both ways of naming the layers of a chain.
TEST(Graph, AChainIsTheSameWithItsInputsNamed) {
  Trained chain(model_of(R"({"type": "conv2d", "channels": 2, "kernel": 3}, {"type": "relu"},
                            {"type": "dropout"}, {"type": "flatten"}, {"type": "linear", "units": 10})"));
  Trained named(model_of(R"({"type": "conv2d", "channels": 2, "kernel": 3, "name": "a", "inputs": ["input"]},
                            {"type": "relu", "name": "b", "inputs": ["a"]},
                            {"type": "dropout", "inputs": ["b"], "name": "c"},
                            {"type": "flatten", "inputs": ["c"], "name": "d"},
                            {"type": "linear", "units": 10, "inputs": ["d"]})"));
  EXPECT_EQ(chain.train(), named.train());
  EXPECT_EQ(chain.gradients, named.gradients);
}

TEST(Graph, AddIsTheSumOfItsInputs) {
  // Two branches with the same weights, added, against one branch with these weights doubled.
  Trained two(model_of(R"({"type": "flatten", "name": "x"}, {"type": "linear", "units": 10, "name": "a"},
                          {"type": "linear", "units": 10, "name": "b", "inputs": ["x"]},
                          {"type": "add", "inputs": ["a", "b"]})"));
  Trained one(model_of(R"({"type": "flatten"}, {"type": "linear", "units": 10})"));
  const std::size_t count = one.parameters.size();
  ASSERT_EQ(two.parameters.size(), 2 * count);
  for (std::size_t i = 0; i < count; ++i) one.parameters[i] = two.parameters[i] + two.parameters[count + i];
  EXPECT_NEAR(two.train(), one.train(), 1e-4);
  for (std::size_t i = 0; i < 2 * count; ++i)
    ASSERT_NEAR(two.gradients[i], one.gradients[i % count], 1e-4) << i;
}

// x + max(x, 0) is twice x, or x where x < 0: what is read before an element-wise layer is not changed by it.
TEST(Graph, AnElementwiseLayerLeavesAValueThatOthersReadAsItIs) {
  const std::string linear = R"({"type": "flatten"}, {"type": "linear", "units": 10, "name": "x"}, )";
  Trained one(model_of(linear + R"({"type": "relu", "name": "y"}, {"type": "add", "inputs": ["x", "y"]})"));
  Trained other(model_of(linear + R"({"type": "leaky_relu", "slope": 0.5, "name": "y"},
                                     {"type": "add", "inputs": ["y", "y"]})"));
  EXPECT_NEAR(one.train(), other.train(), 1e-5);
  for (std::size_t i = 0; i < one.gradients.size(); ++i)
    ASSERT_NEAR(one.gradients[i], other.gradients[i], 1e-5) << i;
}

TEST(Graph, WithoutRowsTrainingLeavesZerosAndTellsOfEveryPiece) {
  Trained trained(model_of(tangled), 3, 1, {1, 4, 5});
  std::vector<std::pair<std::size_t, std::size_t>> with_rows, without;
  std::vector<std::pair<std::size_t, std::size_t>>* calls = &with_rows;
  const GradientReady ready{.piece_floats = 50, .call = [&](std::size_t first, std::size_t count) {
                              calls->emplace_back(first, count);
                            }};
  const auto train = [&](std::size_t rows, float beta) {
    return trained.model.train({.training = true, .sample_ids = std::span(trained.ids).first(rows)},
                               trained.examples(0, rows), 1.0F,
                               {.first = 0, .values = trained.gradients, .beta = beta}, &ready);
  };
  (void)train(3, 0.0F);
  const auto gradients = trained.gradients;
  calls = &without;
  EXPECT_EQ(train(0, 0.5F), 0.0);
  for (std::size_t i = 0; i < gradients.size(); ++i) ASSERT_EQ(trained.gradients[i], 0.5F * gradients[i]);
  EXPECT_EQ(train(0, 0.0F), 0.0);
  EXPECT_THAT(trained.gradients, testing::Each(0.0F));
  without.resize(with_rows.size());
  EXPECT_EQ(with_rows, without);
}

TEST(Graph, LayersThatShareTheInputWithOthersAreNotSharded) {
  Trained trained(model_of(R"({"type": "flatten", "name": "x"}, {"type": "linear", "units": 10, "name": "a"},
                              {"type": "linear", "units": 40, "inputs": ["x"]},
                              {"type": "linear", "units": 10, "name": "b"},
                              {"type": "add", "inputs": ["a", "b"]})"));
  const auto blocks = ShardedModel(trained.model, 4, 2).blocks();
  ASSERT_EQ(blocks.size(), 3U);
  EXPECT_FALSE(blocks[0].is_sharded || blocks[1].is_sharded);
  EXPECT_TRUE(blocks[2].is_sharded);
}

TEST(Graph, ErrorsOfDescriptionsNameTheLayerAndWhatThereIs) {
  const auto error_of = [](const std::string& layers) -> std::string {
    try {
      Trained trained(model_of(layers));
    } catch (const ConfigError& error) {
      return error.what();
    }
    return "no error";
  };
  const std::string begin = R"({"type": "flatten", "name": "pixels"}, {"type": "linear", "units": 10, )";
  EXPECT_THAT(error_of(begin + R"("name": "a"}, {"type": "add", "inputs": ["a", "pixel"]})"),
              testing::AllOf(HasSubstr("layer 3 (add)"), HasSubstr("did you mean 'pixels'")));
  EXPECT_THAT(error_of(begin + R"("name": "a", "inputs": ["a"]})"), HasSubstr("layer 2 (linear 'a')"));
  EXPECT_THAT(error_of(begin + R"("name": "pixels"})"), HasSubstr("two layers are called 'pixels'"));
  EXPECT_THAT(error_of(begin + R"("name": "input"})"), HasSubstr("called 'input'"));
  EXPECT_THAT(error_of(begin + R"("name": 3})"), HasSubstr("is no text"));
  EXPECT_THAT(error_of(begin + R"("inputs": "pixels"})"), HasSubstr("no list of names"));
  EXPECT_THAT(error_of(begin + R"("inputs": []})"), HasSubstr("no list of names"));
  EXPECT_THAT(error_of(begin + R"("inputs": ["pixels", "pixels"]})"), HasSubstr("has several inputs"));
  EXPECT_THAT(error_of(begin + R"("name": "a"}, {"type": "add", "inputs": ["a", "pixels"]})"),
              HasSubstr("inputs of different shapes"));
  EXPECT_THAT(error_of(begin + R"("name": "a"}, {"type": "add"})"), HasSubstr("needs what it adds"));
  EXPECT_THAT(error_of(begin + R"("name": "a"}, {"type": "linear", "units": 10, "inputs": ["pixels"]})"),
              HasSubstr("nobody reads the output of layer 2 (linear 'a')"));
  EXPECT_EQ(error_of(begin + R"("name": "a"})"), "no error");
}

}  // namespace
}  // namespace lockstep::nn
