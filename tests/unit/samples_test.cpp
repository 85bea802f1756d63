// SPDX-License-Identifier: BSD-3-Clause
// Samples with several targets, synthetic data, and the division of an epoch.
#include <algorithm>
#include <cmath>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/sha256.hpp"
#include "data/batches.hpp"
#include "data/dataset.hpp"

namespace lockstep::data {
namespace {

using testing::ElementsAre;

// Such as the next characters of a text.
TEST(Samples, MayHaveSeveralTargets) {
  const std::vector<std::int16_t> tokens = {10, 11, 20, 21, 30, 31};
  const std::vector<std::int16_t> next = {11, 12, 21, 22, 31, 32};
  const Samples samples{.inputs = {ValueType::int16, 2, std::as_bytes(std::span(tokens))},
                        .targets = {ValueType::int16, 2, std::as_bytes(std::span(next))},
                        .scale = 1.0F,
                        .count = 3};
  std::vector<float> inputs(4);
  std::vector<std::int32_t> targets(4);
  gather(samples, std::vector<std::uint32_t>{2, 0}, {inputs.data(), 2, 2}, targets);
  EXPECT_THAT(inputs, ElementsAre(30, 31, 10, 11));
  EXPECT_THAT(targets, ElementsAre(31, 32, 11, 12));
}

TEST(Synthetic, DependsOnTheSeedAlone) {
  const auto generate = [](std::uint32_t seed) {
    const auto source =
        open_dataset({.dataset = "synthetic", .synthetic_train = 50, .synthetic_test = 20, .seed = seed});
    std::vector<std::byte> block(source->info().total_bytes());
    source->load(block);
    return block;
  };
  EXPECT_EQ(generate(1), generate(1));
  EXPECT_NE(generate(1), generate(2));
}

// A stored sum, since the data are to be the same wherever a seed is used again.
TEST(Synthetic, IsTheSameOnEveryProcessor) {
  const auto source =
      open_dataset({.dataset = "synthetic", .synthetic_train = 500, .synthetic_test = 100, .seed = 1});
  std::vector<std::byte> block(source->info().total_bytes());
  source->load(block);
  EXPECT_EQ(sha256(block), "2de6025ab6eb038e6a914fd10e75546b5c1328d7bea8ffd428ec8663ef2844de");
}

TEST(Synthetic, HasNoiseOfTheStandardDeviationThatItPromises) {
  constexpr std::size_t features = 784, samples = 4000;
  const auto source =
      open_dataset({.dataset = "synthetic", .synthetic_train = samples, .synthetic_test = 1, .seed = 3});
  std::vector<std::byte> block(source->info().total_bytes());
  source->load(block);
  // Of pixels that lie between the ends of the scale in the mean; the ends cut the noise off for others.
  double squares = 0.0, counted = 0.0;
  for (std::size_t pixel = 0; pixel < features; ++pixel) {
    std::vector<double> values;
    for (std::size_t i = 0; i < samples; i += 10)
      values.push_back(std::to_integer<int>(block[i * features + pixel]));
    std::ranges::sort(values);
    const double median = values[values.size() / 2];
    if (std::abs(median - 127.5) > 10) continue;
    // Within 84% and 16% lies one standard deviation to either side.
    const auto at = [&](double part) {
      return values[static_cast<std::size_t>(part * static_cast<double>(values.size()))];
    };
    const double deviation = (at(0.8413) - at(0.1587)) / 2;
    squares += deviation * deviation;
    ++counted;
  }
  ASSERT_GT(counted, 20);
  EXPECT_NEAR(std::sqrt(squares / counted), 96, 3);
}

TEST(Share, DividesAllWithoutGapsAndAsEquallyAsPossible) {
  for (const std::size_t total : {0U, 1U, 7U, 64U, 1000U})
    for (const std::size_t count : {1U, 2U, 3U, 5U, 8U, 64U}) {
      std::size_t at = 0;
      for (std::size_t i = 0; i < count; ++i) {
        const Range part = share(total, i, count);
        EXPECT_EQ(part.begin, at);
        EXPECT_GE(part.size(), total / count);
        EXPECT_LE(part.size(), total / count + 1);
        at = part.end;
      }
      EXPECT_EQ(at, total);
    }
}

// For every division, rank count and awkward size: each sample once, steps agree, sizes as promised.
TEST(BatchPlan, UsesEverySampleOnceAnEpoch) {
  for (const Division division : {Division::batches, Division::samples})
    for (const std::size_t samples : {1U, 10U, 63U, 64U, 65U, 1003U})
      for (const std::size_t batch_size : {1U, 7U, 64U, 2000U})
        for (const std::size_t count : {1U, 2U, 3U, 5U, 8U}) {
          std::vector<int> seen(samples);
          for (std::size_t index = 0; index < count; ++index) {
            BatchPlan plan(samples, batch_size, division, index, count, 1);
            BatchPlan first(samples, batch_size, division, 0, count, 1);
            plan.start_epoch(3);
            first.start_epoch(3);
            ASSERT_EQ(plan.steps(), first.steps());
            for (std::size_t step = 0; step < plan.steps(); ++step) {
              const Batch batch = plan.batch(step);
              EXPECT_LE(batch.sample_ids.size(), batch.largest);
              EXPECT_EQ(batch.largest, first.batch(step).sample_ids.size());
              EXPECT_LE(batch.sample_ids.size(), plan.largest_batch());
              for (const std::uint32_t id : batch.sample_ids) ++seen[id];
            }
          }
          EXPECT_EQ(std::ranges::count(seen, 1), static_cast<std::ptrdiff_t>(samples));
        }
}

TEST(BatchPlan, DividesTheSameGlobalBatchesWhateverTheRankCount) {
  BatchPlan whole(103, 10, Division::batches, 0, 1, 5);
  whole.start_epoch(2);
  for (const std::size_t count : {2U, 3U, 16U})
    for (std::size_t step = 0; step < whole.steps(); ++step) {
      std::vector<std::uint32_t> joined;
      for (std::size_t index = 0; index < count; ++index) {
        BatchPlan plan(103, 10, Division::batches, index, count, 5);
        plan.start_epoch(2);
        const Batch batch = plan.batch(step);
        joined.insert(joined.end(), batch.sample_ids.begin(), batch.sample_ids.end());
        EXPECT_EQ(batch.gradient_samples, whole.batch(step).sample_ids.size());
      }
      EXPECT_TRUE(std::ranges::equal(joined, whole.batch(step).sample_ids));
    }
}

}  // namespace
}  // namespace lockstep::data
