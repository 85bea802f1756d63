// SPDX-License-Identifier: BSD-3-Clause
// Batch normalisation over ranks: with sums over them a step is that of one rank with the whole batch.
#include <algorithm>
#include <array>
#include <numeric>
#include <vector>

#include <gtest/gtest.h>

#include "core/json.hpp"
#include "core/random.hpp"
#include "data/batches.hpp"
#include "nn/sharded_model.hpp"
#include "rig.hpp"

namespace lockstep::nn {
namespace {

using algorithms::world;

constexpr SampleShape shape{2, 6, 6};
constexpr std::size_t samples = 10, classes = 10;

const math::Gemm& gemm() {
  static const auto backend = math::make_gemm("tiled");
  return *backend;
}

Json residual_model() {
  return Json::parse(R"({"loss": "cross_entropy_logits", "layers": [
    {"type": "conv2d", "channels": 4, "kernel": 3, "padding": 1},
    {"type": "batch_norm"},
    {"type": "relu", "name": "stem"},
    {"type": "conv2d", "channels": 4, "kernel": 3, "padding": 1},
    {"type": "batch_norm", "name": "residual"},
    {"type": "add", "inputs": ["residual", "stem"]},
    {"type": "relu"},
    {"type": "flatten"},
    {"type": "linear", "units": 12},
    {"type": "batch_norm"},
    {"type": "tanh"},
    {"type": "linear", "units": 10}]})");
}

/// A model and its arrays, alike on all ranks, and the batch that they train together.
struct Trained {
  Trained()
      : model(residual_model(),
              {.input = shape, .classes = classes, .seed = 1, .max_batch = samples, .gemm = &gemm()}),
        parameters(model.parameter_count()),
        gradients(model.parameter_count()),
        state(model.state_count()),
        images(samples * shape.size()),
        labels(samples),
        ids(samples) {
    model.bind(parameters, state);
    model.initialize();
    RandomRows(2, Purpose::synthetic_data).normal(0, 0, 0, images);
    std::iota(ids.begin(), ids.end(), 0U);
    std::iota(labels.begin(), labels.end(), 0);
  }
  ConstMatrix rows(std::size_t first, std::size_t count) const {
    return {images.data() + first * shape.size(), count, shape.size()};
  }
  double train(std::size_t first, std::size_t count, const SumOverRanks* sum) {
    return model.train(context(first, count, sum),
                       {rows(first, count), std::span(labels).subspan(first, count)}, 1.0F,
                       {.first = 0, .values = gradients});
  }
  ForwardContext context(std::size_t first, std::size_t count, const SumOverRanks* sum) const {
    return {.training = true, .sample_ids = std::span(ids).subspan(first, count), .sum_over_ranks = sum};
  }
  Model model;
  std::vector<float> parameters, gradients, state, images;
  std::vector<std::int32_t> labels;
  std::vector<std::uint32_t> ids;
};

/// This rank's samples: the last rank of several has none, and the others unequally many.
data::Range own_rows() {
  const std::size_t rank = world().rank(), working = std::max<std::size_t>(1, world().size() - 1);
  const auto begin = [&](std::size_t index) { return samples * index * index / (working * working); };
  return rank < working ? data::Range{begin(rank), begin(rank + 1)} : data::Range{samples, samples};
}

double summed(double value) {
  std::array<double, 1> sum{value};
  world().sum(sum);
  return sum[0];
}

/// What all ranks together have of a gradient, beside the whole batch's.
void expect_sum(const std::vector<float>& own, const std::vector<float>& whole) {
  std::vector<double> sum(own.begin(), own.end());
  world().sum(sum);
  for (std::size_t i = 0; i < sum.size(); ++i) ASSERT_NEAR(sum[i], whole[i], 2e-5) << i;
}

TEST(BatchNorm, OverRanksIsThatOfTheWholeBatch) {
  const SumOverRanks sum = [](std::span<double> values) { world().sum(values); };
  Trained whole, part;
  for (int step = 0; step < 3; ++step) {
    const double loss = whole.train(0, samples, nullptr);
    const auto [begin, end] = own_rows();
    EXPECT_NEAR(summed(part.train(begin, end - begin, &sum)), loss, 1e-4);
    expect_sum(part.gradients, whole.gradients);
    for (std::size_t i = 0; i < whole.state.size(); ++i) ASSERT_NEAR(part.state[i], whole.state[i], 1e-5);
    for (std::size_t i = 0; i < whole.parameters.size(); ++i)
      part.parameters[i] = whole.parameters[i] -= 0.05F * whole.gradients[i];
  }
}

TEST(BatchNorm, OverRanksIsThatOfTheWholeBatchInAShardedModelToo) {
  const SumOverRanks sum = [](std::span<double> values) { world().sum(values); };
  Trained whole, part;
  const double loss = whole.train(0, samples, nullptr);
  const auto [begin, end] = own_rows();
  ShardedModel sharded(part.model, samples, world().size());
  const double own_loss = sharded.backpropagate(
      part.context(begin, end - begin, &sum),
      {part.rows(begin, end - begin), std::span(part.labels).subspan(begin, end - begin)}, 1.0F,
      {.first = 0, .values = part.gradients});
  EXPECT_NEAR(summed(own_loss), loss, 1e-4);
  // Everybody's activations, as shared memory would have them.
  std::vector<float> shared(sharded.shared_floats(samples));
  sharded.share_activations(shared, samples, begin, end - begin, math::Stores::cached);
  std::vector<double> all(shared.begin(), shared.end());
  world().sum(all);
  std::ranges::transform(all, shared.begin(), [](double value) { return static_cast<float>(value); });
  if (world().is_root())
    sharded.add_sharded_gradients(part.rows(0, samples), shared, samples,
                                  {.first = 0, .values = part.gradients, .beta = 1.0F});
  expect_sum(part.gradients, whole.gradients);
}

TEST(BatchNorm, WithoutSumsEachRankHasItsOwnStatistics) {
  Trained whole, part;
  (void)whole.train(0, samples, nullptr);
  const auto [begin, end] = own_rows();
  const auto before = part.state;
  (void)part.train(begin, end - begin, nullptr);
  if (begin == end)
    EXPECT_EQ(part.state, before);
  else if (end - begin == samples)
    EXPECT_EQ(part.state, whole.state);
  else
    EXPECT_NE(part.state, whole.state);
}

}  // namespace
}  // namespace lockstep::nn
