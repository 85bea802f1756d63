// SPDX-License-Identifier: BSD-3-Clause
// The counter-based generator: known answers, independence of how rows are read, and distributions.
#include "core/random.hpp"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <numeric>
#include <set>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

namespace lockstep {
namespace {

TEST(Philox, GivesThePublishedNumbers) {
  // Known-answer vectors published with the paper's Random123 library.
  EXPECT_EQ(philox({0, 0}, {0, 0, 0, 0}), (PhiloxBlock{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}));
  EXPECT_EQ(philox({0xffffffff, 0xffffffff}, {0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff}),
            (PhiloxBlock{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}));
  EXPECT_EQ(philox({0xa4093822, 0x299f31d0}, {0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}),
            (PhiloxBlock{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}));
}

TEST(RandomRows, HaveTheSameNumbersAtWhateverLengthTheyAreRead) {
  const RandomRows rows(7, Purpose::dropout);
  std::vector<std::uint32_t> whole(1000);
  rows.bits(1, 2, 3, whole);
  for (const std::size_t length : {1U, 3U, 4U, 63U, 64U, 65U, 999U}) {
    std::vector<std::uint32_t> part(length);
    rows.bits(1, 2, 3, part);
    EXPECT_TRUE(std::equal(part.begin(), part.end(), whole.begin())) << length;
  }
  EXPECT_EQ((PhiloxBlock{whole[400], whole[401], whole[402], whole[403]}), philox({7, 3}, {1, 2, 3, 100}));
}

// What a word of random bits means for normal numbers, in double precision: core/random.cpp does it in
// vectors.
std::pair<double, double> normal_pair(std::uint32_t word) {
  const double u = (word >> 14) * 0x1p-18 + 0x1p-19;
  const double angle = (((word >> 3) & 0x7FF) * 0x1p-11 + 0x1p-12 - 0.5) * std::numbers::pi / 2;
  const double radius = std::sqrt(-2 * std::log(u));
  double x = radius * std::cos(angle), y = radius * std::sin(angle);
  if ((word & 4) != 0) std::swap(x, y);
  return {(word & 1) != 0 ? -x : x, (word & 2) != 0 ? -y : y};
}

// Lengths that end within a vector, a group and a block of every width of vectors.
TEST(RandomRows, AreOnEveryProcessorTheNumbersThatTheirBitsMean) {
  constexpr std::size_t group = 16;  // words; they make all their x, then all their y
  const RandomRows rows(7, Purpose::initial_weights);
  for (const std::size_t length : {1U, 2U, 7U, 16U, 17U, 31U, 32U, 33U, 64U, 250U, 256U, 784U, 1000U}) {
    std::vector<std::uint32_t> words(length + group);
    std::vector<float> normals(length), uniforms(length);
    rows.bits(4, 5, 6, words);
    rows.normal(4, 5, 6, normals);
    rows.uniform(4, 5, 6, uniforms);
    for (std::size_t i = 0; i < length; ++i) {
      const std::size_t within = i % (2 * group);
      const auto [x, y] = normal_pair(words[i / (2 * group) * group + within % group]);
      ASSERT_NEAR(normals[i], within < group ? x : y, 2e-6) << i << " of " << length;
      ASSERT_EQ(uniforms[i], static_cast<float>((words[i] >> 9) * 0x1p-23 + 0x1p-24))
          << i << " of " << length;
    }
  }
}

TEST(RandomRows, DifferInEveryPartOfTheirAddress) {
  const auto first = [](std::uint32_t seed, Purpose purpose, std::uint32_t a, std::uint32_t b,
                        std::uint32_t c) {
    std::vector<std::uint32_t> row(1);
    RandomRows(seed, purpose).bits(a, b, c, row);
    return row[0];
  };
  const std::set<std::uint32_t> numbers = {
      first(1, Purpose::dropout, 1, 1, 1),      first(2, Purpose::dropout, 1, 1, 1),
      first(1, Purpose::sample_order, 1, 1, 1), first(1, Purpose::dropout, 2, 1, 1),
      first(1, Purpose::dropout, 1, 2, 1),      first(1, Purpose::dropout, 1, 1, 2)};
  EXPECT_EQ(numbers.size(), 6U);
}

TEST(RandomRows, AreUniformWithinTheOpenInterval) {
  std::vector<float> numbers(1 << 20);
  RandomRows(3, Purpose::dropout).uniform(0, 0, 0, numbers);
  const auto [low, high] = std::ranges::minmax(numbers);
  EXPECT_GT(low, 0.0F);
  EXPECT_LT(high, 1.0F);
  std::vector<double> bins(16);
  for (const float u : numbers) bins[static_cast<std::size_t>(16 * u)] += 1;
  double chi2 = 0;
  const double expected = static_cast<double>(numbers.size()) / 16;
  for (const double count : bins) chi2 += (count - expected) * (count - expected) / expected;
  EXPECT_LT(chi2, 37.7);  // 15 degrees of freedom, p = 0.001
}

TEST(RandomRows, AreNormalIntoTheTails) {
  std::vector<float> numbers(1 << 20);
  RandomRows(3, Purpose::dropout).normal(0, 0, 0, numbers);
  const auto n = static_cast<double>(numbers.size());
  // Kolmogorov-Smirnov distance from the normal distribution; 1.95 / sqrt(n) is p = 0.001.
  std::ranges::sort(numbers);
  double distance = 0;
  for (std::size_t i = 0; i < numbers.size(); ++i) {
    const double cdf = 0.5 * std::erfc(-static_cast<double>(numbers[i]) / std::sqrt(2.0));
    distance = std::max({distance, std::abs(cdf - static_cast<double>(i) / n),
                         std::abs(static_cast<double>(i + 1) / n - cdf)});
  }
  EXPECT_LT(distance, 1.95 / std::sqrt(n));
  EXPECT_LT(numbers.front(), -4.0F);
  EXPECT_GT(numbers.back(), 4.0F);
}

// Pairs of normals come from one radius and one angle: neither they nor their squares may know of each other.
TEST(RandomRows, HaveNormalsThatAreNotCorrelatedAtAnyDistanceWithinABlock) {
  std::vector<float> numbers(1 << 18);
  RandomRows(5, Purpose::dropout).normal(0, 0, 0, numbers);
  for (std::size_t distance = 1; distance <= 64; ++distance) {
    double product = 0.0, of_squares = 0.0;
    const std::size_t n = numbers.size() - distance;
    for (std::size_t i = 0; i < n; ++i) {
      const double x = numbers[i];
      const double y = numbers[i + distance];
      product += x * y;
      of_squares += (x * x - 1) * (y * y - 1) / 2;  // variance 1 for each term, too
    }
    const double bound = 4.5 * std::sqrt(static_cast<double>(n));
    EXPECT_LT(std::abs(product), bound) << distance;
    EXPECT_LT(std::abs(of_squares), bound * 1.5) << distance;  // heavier tails than a normal sum
  }
}

TEST(ShuffledOrder, IsAPermutationThatSeedAndEpochDecide) {
  std::vector<std::uint32_t> one(10007), same(10007), other_epoch(10007), other_seed(10007);
  shuffled_order(1, 0, one);
  shuffled_order(1, 0, same);
  shuffled_order(1, 1, other_epoch);
  shuffled_order(2, 0, other_seed);
  EXPECT_EQ(one, same);
  EXPECT_NE(one, other_epoch);
  EXPECT_NE(one, other_seed);
  std::ranges::sort(one);
  for (std::uint32_t i = 0; i < one.size(); ++i) ASSERT_EQ(one[i], i);
}

TEST(ShuffledOrder, PutsEveryElementEverywhereEquallyOften) {
  constexpr std::size_t n = 5;
  constexpr std::uint32_t draws = 20000;
  std::vector<double> counts(n * n);
  std::vector<std::uint32_t> order(n);
  for (std::uint32_t epoch = 0; epoch < draws; ++epoch) {
    shuffled_order(9, epoch, order);
    for (std::size_t place = 0; place < n; ++place) counts[place * n + order[place]] += 1;
  }
  double chi2 = 0;
  const double expected = static_cast<double>(draws) / n;
  for (const double count : counts) chi2 += (count - expected) * (count - expected) / expected;
  EXPECT_LT(chi2, 39.3);  // (n-1)^2 = 16 degrees of freedom, p = 0.001
}

}  // namespace
}  // namespace lockstep
