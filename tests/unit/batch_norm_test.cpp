// SPDX-License-Identifier: BSD-3-Clause
// Batch normalisation: running statistics, evaluation, and batches that several ranks train together.
#include <array>
#include <barrier>
#include <cmath>
#include <mutex>
#include <numeric>
#include <thread>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/json.hpp"
#include "nn/layer.hpp"
#include "trained_model.hpp"

namespace lockstep::nn {
namespace {

std::vector<float> numbers(std::uint32_t id, std::size_t size, float mean = 0.0F, float deviation = 1.0F) {
  std::vector<float> values(size);
  RandomRows(3, Purpose::synthetic_data).normal(id, 0, 0, values);
  for (float& value : values) value = mean + deviation * value;
  return values;
}

/// A layer with its arrays; gamma and beta are not 1 and 0.
struct Subject {
  explicit Subject(SampleShape shape, const Json& description = {{"type", "batch_norm"}})
      : layer(make_layer({.in = shape}, description)),
        parameters(layer->parameter_count()),
        state(layer->state_count()) {
    layer->bind(parameters);
    layer->bind_state(state);
    layer->initialize();
    for (std::size_t i = 0; i < parameters.size(); ++i) parameters[i] += 0.1F * static_cast<float>(i);
  }
  std::vector<float> forward(const ForwardContext& context, const std::vector<float>& in) {
    std::vector<float> out(in.size());
    layer->forward(context, view(in), {out.data(), view(in).rows, view(in).cols});
    return out;
  }
  ConstMatrix view(const std::vector<float>& values) const {
    return {values.data(), values.size() / layer->in().size(), layer->in().size()};
  }
  std::unique_ptr<Layer> layer;
  std::vector<float> parameters, state;
};

/// Mean and sum of squared deviations of channel c, one value after the other.
struct Moments {
  double mean = 0.0, squares = 0.0, count = 0.0;
};
Moments moments_of(const std::vector<float>& in, const SampleShape& shape, std::size_t c) {
  std::vector<double> values;
  const std::size_t positions = shape.height * shape.width;
  for (std::size_t i = 0; i < in.size(); ++i)
    if (i / positions % shape.channels == c) values.push_back(static_cast<double>(in[i]));
  Moments moments{.count = static_cast<double>(values.size())};
  moments.mean = std::accumulate(values.begin(), values.end(), 0.0) / moments.count;
  for (const double value : values) moments.squares += (value - moments.mean) * (value - moments.mean);
  return moments;
}

const ForwardContext training{.training = true};

TEST(BatchNorm, MakesMeanAndVarianceOfEachChannelThoseOfBetaAndGamma) {
  for (const SampleShape shape : {SampleShape{5, 1, 1}, {3, 4, 5}, {2, 7, 1}}) {
    Subject subject(shape);
    const auto out = subject.forward(training, numbers(1, 6 * shape.size(), 3.0F, 2.0F));
    for (std::size_t c = 0; c < shape.channels; ++c) {
      const Moments found = moments_of(out, shape, c);
      EXPECT_NEAR(found.mean, subject.parameters[shape.channels + c], 1e-5);
      EXPECT_NEAR(std::sqrt(found.squares / found.count), subject.parameters[c], 1e-4);
    }
  }
}

TEST(BatchNorm, RunningStatisticsFollowTheBatchesAndEvaluationUsesThem) {
  for (const SampleShape shape : {SampleShape{5, 1, 1}, {3, 4, 5}}) {
    Subject subject(shape, {{"type", "batch_norm"}, {"momentum", 0.3}, {"epsilon", 0.01}});
    std::vector<double> mean(shape.channels, 0.0), variance(shape.channels, 1.0);
    for (std::uint32_t batch = 0; batch < 3; ++batch) {
      const auto in = numbers(batch, (4 + batch) * shape.size(), static_cast<float>(batch), 2.0F);
      (void)subject.forward(training, in);
      for (std::size_t c = 0; c < shape.channels; ++c) {
        const Moments moments = moments_of(in, shape, c);
        mean[c] += 0.3 * (moments.mean - mean[c]);
        variance[c] += 0.3 * (moments.squares / (moments.count - 1.0) - variance[c]);
        EXPECT_NEAR(subject.state[c], mean[c], 1e-5);
        EXPECT_NEAR(subject.state[shape.channels + c], variance[c], 1e-5);
      }
    }
    const auto state = subject.state;
    const auto in = numbers(9, 2 * shape.size());
    const auto out = subject.forward({}, in);
    EXPECT_EQ(subject.state, state);
    for (std::size_t i = 0; i < in.size(); ++i) {
      const std::size_t c = i / (shape.height * shape.width) % shape.channels;
      EXPECT_NEAR(out[i],
                  subject.parameters[c] * (in[i] - mean[c]) / std::sqrt(variance[c] + 0.01) +
                      subject.parameters[shape.channels + c],
                  1e-5);
    }
  }
}

TEST(BatchNorm, LosesNothingWhereTheMeanIsLarge) {
  const SampleShape shape{2, 6, 6};
  auto in = numbers(1, 8 * shape.size(), 4096.0F, 1.0F);
  for (const bool with_hook : {false, true}) {
    Subject subject(shape, {{"type", "batch_norm"}, {"momentum", 1.0}});
    const SumOverRanks alone = [](std::span<double>) {};
    (void)subject.forward({.training = true, .sum_over_ranks = with_hook ? &alone : nullptr}, in);
    for (std::size_t c = 0; c < shape.channels; ++c) {
      const Moments moments = moments_of(in, shape, c);
      EXPECT_NEAR(subject.state[shape.channels + c] / (moments.squares / (moments.count - 1.0)), 1.0, 1e-5);
    }
  }
}

TEST(BatchNorm, ABatchOfOneValueIsBetaAndLeavesTheVariance) {
  Subject subject({3, 1, 1});
  const std::vector<float> in = {5, -2, 1e3F};
  const auto out = subject.forward(training, in);
  EXPECT_THAT(out, testing::ElementsAreArray(std::span(subject.parameters).last(3)));
  EXPECT_THAT(std::span(subject.state).last(3), testing::Each(1.0F));
  std::vector<float> d_in(3, 1.0F);
  subject.layer->backward(training, subject.view(in), subject.view(out), subject.view(in),
                          {d_in.data(), 1, 3});
  EXPECT_THAT(d_in, testing::Each(0.0F));
}

/// Sums over threads that stand for ranks.
class Together {
 public:
  explicit Together(std::ptrdiff_t ranks) : barrier_(ranks) {}
  void sum(std::size_t rank, std::span<double> values) {
    if (rank == 0) total_.assign(values.size(), 0.0);
    barrier_.arrive_and_wait();
    {
      const std::lock_guard lock(mutex_);
      ASSERT_EQ(total_.size(), values.size());
      for (std::size_t i = 0; i < values.size(); ++i) total_[i] += values[i];
    }
    barrier_.arrive_and_wait();
    std::ranges::copy(total_, values.begin());
    barrier_.arrive_and_wait();
  }

 private:
  std::barrier<> barrier_;
  std::mutex mutex_;
  std::vector<double> total_;
};

Json small_resnet() {
  return Json::parse(R"({"loss": "cross_entropy_logits", "layers": [
    {"type": "conv2d", "channels": 3, "kernel": 3, "padding": 1},
    {"type": "batch_norm"},
    {"type": "leaky_relu", "name": "stem"},
    {"type": "conv2d", "channels": 3, "kernel": 3, "padding": 1},
    {"type": "batch_norm", "name": "residual"},
    {"type": "add", "inputs": ["residual", "stem"]},
    {"type": "relu"},
    {"type": "global_avg_pool2d"},
    {"type": "linear", "units": 8},
    {"type": "batch_norm"},
    {"type": "tanh"},
    {"type": "linear", "units": 10}]})");
}

TEST(BatchNorm, SeveralRanksTrainABatchAsOneDoes) {
  constexpr std::size_t rows = 7;
  Trained whole(small_resnet(), rows, 1, {1, 6, 6});
  const double loss = whole.train();
  constexpr std::array<std::size_t, 5> begins = {0, 2, 2, 6, 7};  // the second has no rows
  constexpr std::size_t ranks = begins.size() - 1;
  Together together(ranks);
  std::vector<std::unique_ptr<Trained>> all;
  for (std::size_t rank = 0; rank < ranks; ++rank)
    all.push_back(std::make_unique<Trained>(small_resnet(), rows, 1, SampleShape{1, 6, 6}));
  std::vector<double> losses(ranks);
  std::vector<std::thread> threads;
  for (std::size_t rank = 0; rank < ranks; ++rank)
    threads.emplace_back([&, rank] {
      const std::size_t first = begins[rank], count = begins[rank + 1] - first;
      const SumOverRanks sum = [&](std::span<double> values) { together.sum(rank, values); };
      losses[rank] = all[rank]->model.train({.training = true,
                                             .sample_ids = std::span(whole.ids).subspan(first, count),
                                             .sum_over_ranks = &sum},
                                            whole.examples(first, count), 1.0F,
                                            {.first = 0, .values = all[rank]->gradients});
    });
  for (std::thread& thread : threads) thread.join();
  EXPECT_NEAR(std::accumulate(losses.begin(), losses.end(), 0.0), loss, 1e-5);
  for (std::size_t i = 0; i < whole.gradients.size(); ++i) {
    float sum = 0;
    for (const auto& rank : all) sum += rank->gradients[i];
    ASSERT_NEAR(sum, whole.gradients[i], 2e-5) << i;
  }
  for (const auto& rank : all)
    for (std::size_t i = 0; i < whole.state.size(); ++i)
      ASSERT_NEAR(rank->state[i], whole.state[i], 1e-6) << i;
  EXPECT_TRUE(whole.model.depends_on_batch());
  EXPECT_FALSE(Trained("lenet5").model.depends_on_batch());
}

TEST(BatchNorm, GradientsOfAResidualModelAgreeWithFiniteDifferences) {
  Trained trained(small_resnet(), 4, 1, {1, 6, 6});
  trained.labels = {3, 1, 4, 1};
  // Off the initial state, in which gamma and beta say little.
  for (std::size_t i = 0; i < trained.parameters.size(); ++i)
    trained.parameters[i] += 0.1F * std::sin(static_cast<float>(i));
  trained.train();
  const auto gradients = trained.gradients;
  std::size_t compared = 0;
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
    const double coarse = slope(4e-3F), fine = slope(2e-3F);
    if (std::abs(coarse - fine) > 3e-3) continue;  // a kink
    EXPECT_NEAR(gradients[i], fine, 5e-3 + 0.01 * std::abs(fine)) << i;
    ++compared;
  }
  EXPECT_GT(compared, trained.parameters.size() / 2);
}

TEST(BatchNorm, EvaluationOfAModelDependsOnItsState) {
  Trained trained(small_resnet(), 4, 1, {1, 6, 6});
  const double before = trained.model.evaluate(trained.examples()).loss_sum;
  const auto initial = trained.state;
  trained.train();
  EXPECT_NE(trained.state, initial);
  EXPECT_NE(trained.model.evaluate(trained.examples()).loss_sum, before);
  auto other = initial;
  trained.model.bind(trained.parameters, other);
  EXPECT_EQ(trained.model.evaluate(trained.examples()).loss_sum, before);
}

}  // namespace
}  // namespace lockstep::nn
