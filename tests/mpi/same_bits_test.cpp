// SPDX-License-Identifier: BSD-3-Clause
// A bit that differs on one rank is found, wherever it is.
#include "comm/same_bits.hpp"

#include <cstring>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "rig.hpp"

namespace lockstep::comm {
namespace {

using algorithms::world;
using testing::ElementsAre;
using testing::IsEmpty;

std::vector<float> numbers(std::size_t length) {
  std::vector<float> values(length);
  for (std::size_t i = 0; i < length; ++i) values[i] = 0.37F * static_cast<float>(i) - 5.0F;
  return values;
}

void flip(float& value, unsigned bit) {
  std::uint32_t word = 0;
  std::memcpy(&word, &value, sizeof word);
  word ^= 1U << bit;
  std::memcpy(&value, &word, sizeof word);
}

TEST(SameBits, EveryBitCounts) {
  for (const std::size_t length : {1U, 7U, 8U, 9U, 33U}) {
    std::vector<float> values = numbers(length);
    const std::uint64_t before = fingerprint(values);
    for (float& value : values)
      for (unsigned bit = 0; bit < 32; ++bit) {
        flip(value, bit);
        EXPECT_NE(fingerprint(values), before);
        flip(value, bit);
      }
    EXPECT_EQ(fingerprint(values), before);
  }
}

TEST(SameBits, OrderAndLengthCount) {
  EXPECT_NE(fingerprint(std::vector{1.0F, 2.0F}), fingerprint(std::vector{2.0F, 1.0F}));
  EXPECT_NE(fingerprint(std::vector<float>(8)), fingerprint(std::vector<float>(9)));
}

TEST(SameBits, TheRankThatDiffersIsNamedOnAllRanks) {
  std::vector<float> values = numbers(1001);
  EXPECT_THAT(ranks_that_differ(world(), values), IsEmpty());
  if (world().size() < 3) return;  // of two, either may be the one
  if (world().rank() == 1) flip(values[500], 0);
  EXPECT_THAT(ranks_that_differ(world(), values), ElementsAre(1));
}

}  // namespace
}  // namespace lockstep::comm
