// SPDX-License-Identifier: BSD-3-Clause
// Percentiles of step times, within the stated error.
#include "core/step_times.hpp"

#include <algorithm>
#include <cmath>
#include <random>
#include <vector>

#include <gtest/gtest.h>

#include "core/error.hpp"

namespace lockstep {
namespace {

constexpr double stated_error = 1.0 / 128.0;

TEST(StepTimes, PercentilesAreWithinTheStatedErrorOfTheNearestRank) {
  std::mt19937 random(7);
  std::lognormal_distribution<double> seconds(-6.0, 2.0);
  StepTimes times;
  std::vector<double> all;
  for (int i = 0; i < 10007; ++i) {
    all.push_back(seconds(random));
    times.add(all.back());
  }
  std::ranges::sort(all);
  for (const double share : {0.001, 0.25, 0.5, 0.95, 0.99, 0.9999}) {
    const auto rank = static_cast<std::size_t>(std::ceil(share * static_cast<double>(all.size())));
    EXPECT_NEAR(times.quantile_s(share), all[rank - 1], stated_error * all[rank - 1]) << share;
  }
  EXPECT_EQ(times.largest_s(), all.back());
  EXPECT_EQ(times.quantile_s(1.0), all.back());
  EXPECT_EQ(times.count(), all.size());
}

TEST(StepTimes, OfOneStepIsThatStep) {
  StepTimes times;
  EXPECT_TRUE(std::isnan(times.quantile_s(0.5)));
  times.add(0.0123);
  EXPECT_EQ(times.quantile_s(0.5), 0.0123);
  EXPECT_EQ(times.quantile_s(0.99), 0.0123);
}

TEST(StepTimes, TakeAnyNumber) {
  StepTimes times;
  for (const double seconds : {0.0, -1.0, 1e-300, 1e300, std::nan(""), HUGE_VAL}) times.add(seconds);
  EXPECT_EQ(times.count(), 6U);
  EXPECT_GE(times.quantile_s(0.5), 0.0);
  EXPECT_LT(times.quantile_s(0.5), 1e-8);
}

TEST(StepTimes, AddUpOverRanks) {
  StepTimes one, other, both;
  for (int i = 1; i < 100; ++i) {
    (i % 3 == 0 ? one : other).add(1e-3 * i);
    both.add(1e-3 * i);
  }
  for (std::size_t bucket = 0; bucket < StepTimes::bucket_count; ++bucket)
    one.add(bucket, other.counts()[bucket]);
  one.note_largest(other.largest_s());
  EXPECT_EQ(one.counts(), both.counts());
  EXPECT_EQ(one.largest_s(), both.largest_s());
  EXPECT_EQ(one.quantile_s(0.95), both.quantile_s(0.95));
  EXPECT_THROW(one.add(StepTimes::bucket_count, 1), Error);
  one.clear();
  EXPECT_EQ(one.count(), 0U);
}

}  // namespace
}  // namespace lockstep
