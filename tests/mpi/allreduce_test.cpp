// SPDX-License-Identifier: BSD-3-Clause
// Every row of the allreduce table against sums that each rank computes for itself.
#include "comm/allreduce.hpp"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <iterator>
#include <limits>
#include <span>
#include <string>
#include <vector>

#include <gtest/gtest.h>
#include <unistd.h>

#include "allreduce_testing.hpp"
#include "core/error.hpp"

namespace lockstep::comm {
namespace {

// One call with whole numbers: this rank's array, and what all ranks' add up to.
struct Call {
  std::vector<float> mine;
  Expected expected;
};
Call call_of(const Communicator& comm, std::uint64_t call, std::size_t length) {
  return {input_of(whole_number, call, comm.rank(), length),
          expected_of(whole_number, call, comm.size(), length)};
}
// Calls that follow each other, of lengths by turns.
std::vector<Call> calls_of(const Communicator& comm, std::span<const std::size_t> lengths,
                           std::size_t count) {
  std::vector<Call> calls;
  for (std::size_t call = 0; call < count; ++call)
    calls.push_back(call_of(comm, call, lengths[call % lengths.size()]));
  return calls;
}

TEST_F(AllreduceTest, TheTableHasNamesAndHelp) {
  EXPECT_FALSE(allreduce_table().empty());
  for (const AllreduceRow& row : allreduce_table()) {
    EXPECT_FALSE(row.name.empty());
    EXPECT_FALSE(row.help.empty()) << row.name;
    EXPECT_EQ(std::count_if(allreduce_table().begin(), allreduce_table().end(),
                            [&](const AllreduceRow& other) { return other.name == row.name; }),
              1)
        << row.name;
  }
}

TEST_F(AllreduceTest, AnUnknownNameIsAnErrorThatNamesTheNearest) {
  try {
    (void)make_allreduce("rng", world_, 1);
    FAIL() << "there is no allreduce 'rng'";
  } catch (const ConfigError& error) {
    EXPECT_NE(std::string(error.what()).find("'ring'"), std::string::npos) << error.what();
  }
}

// One allreduce for all lengths, as trainings have; the next test makes one for each.
TEST_F(AllreduceTest, SumsWholeNumbersExactlyAtEveryLength) {
  const std::vector<std::size_t> lengths = lengths_for(ranks_);
  std::vector<Call> calls;
  for (const std::size_t length : lengths) calls.push_back(call_of(world_, length, length));
  for (const Candidate& candidate : candidates()) {
    const auto allreduce = candidate.make(world_, std::ranges::max(lengths));
    for (const Call& call : calls) {
      std::vector<float> values = call.mine;

      allreduce->sum(values);

      EXPECT_TRUE(is_sum(values, call.expected, 0.0)) << candidate.name << ", length " << values.size();
    }
  }
}

TEST_F(AllreduceTest, SumsRealNumbersToRoundingAndBitwiseTheSameOnAllRanks) {
  // At most P-1 additions, each rounded: an error of at most (P-1) eps/2 of the sum of magnitudes.
  const double tolerance = static_cast<double>(ranks_) * 0x1p-24;
  for (const std::size_t length : lengths_for(ranks_)) {
    const std::vector<float> mine = input_of(real_number, length, world_.rank(), length);
    const Expected expected = expected_of(real_number, length, ranks_, length);
    for (const Candidate& candidate : candidates()) {
      const auto allreduce = candidate.make(world_, length);
      std::vector<float> values = mine;

      allreduce->sum(values);

      EXPECT_TRUE(is_sum(values, expected, tolerance)) << candidate.name << ", length " << length;
      EXPECT_TRUE(same_bits_as_root(world_, values)) << candidate.name << ", length " << length;
    }
  }
}

TEST_F(AllreduceTest, RepeatsTheSameBitsForTheSameInput) {
  constexpr std::size_t length = 70'001;
  for (const Candidate& candidate : candidates()) {
    const auto allreduce = candidate.make(world_, length);
    std::vector<float> first = input_of(real_number, 1, world_.rank(), length);
    std::vector<float> second = first;

    allreduce->sum(first);
    allreduce->sum(second);

    EXPECT_TRUE(first == second) << candidate.name;
  }
}

// Buffers that are used by turns go wrong only when calls follow each other, of changing lengths and
// contents.
TEST_F(AllreduceTest, CallsThatFollowEachOtherDoNotMix) {
  constexpr std::size_t longest = 300'000;
  constexpr std::size_t lengths[] = {3, 3, 1000, 3, 140'000, 3, 3, 70'000, longest, 70'000, 0, 1, 20'000};
  const std::vector<Call> calls = calls_of(world_, lengths, 2 * std::size(lengths));
  for (const Candidate& candidate : candidates()) {
    const auto allreduce = candidate.make(world_, longest);
    std::vector<std::vector<float>> values;
    for (const Call& call : calls) values.push_back(call.mine);

    // No test between the calls, so that the ranks run close behind each other.
    for (std::vector<float>& array : values) allreduce->sum(array);

    for (std::size_t k = 0; k < calls.size(); ++k)
      EXPECT_TRUE(is_sum(values[k], calls[k].expected, 0.0))
          << candidate.name << ", call " << k << ", length " << values[k].size();
  }
}

TEST_F(AllreduceTest, SumsRightlyWhenRanksComeLateByTurns) {
  constexpr std::size_t longest = 150'000;
  constexpr std::size_t lengths[] = {5, 2000, longest, 5, 66'000};
  const std::vector<Call> calls = calls_of(world_, lengths, 30);
  for (const Candidate& candidate : candidates()) {
    const auto allreduce = candidate.make(world_, longest);
    for (std::size_t k = 0; k < calls.size(); ++k) {
      std::vector<float> values = calls[k].mine;
      const std::uint32_t chance = scramble(k, world_.rank(), 0);
      if (chance % 3 == 0) usleep(chance % 1500);

      allreduce->sum(values);
      const std::vector<float> result = values;
      std::fill(values.begin(), values.end(), -1.0F);  // nobody may read the array after the call

      EXPECT_TRUE(is_sum(result, calls[k].expected, 0.0)) << candidate.name << ", call " << k;
    }
  }
}

TEST_F(AllreduceTest, ManySmallSumsStayRight) {
  for (const Candidate& candidate : candidates()) {
    const auto allreduce = candidate.make(world_, 16);
    float expected = 1.0F;
    std::vector<float> values(16, 1.0F);
    std::size_t wrong = 0;
    for (int call = 0; call < 1000; ++call) {
      allreduce->sum(values);
      expected *= static_cast<float>(ranks_);
      wrong += values != std::vector<float>(16, expected);
      if (expected > 1000.0F) expected = 1.0F;
      std::fill(values.begin(), values.end(), expected);
    }
    EXPECT_EQ(wrong, 0U) << candidate.name;
  }
}

TEST_F(AllreduceTest, ExtremeValuesComeThrough) {
  using limits = std::numeric_limits<float>;
  const bool is_root = world_.is_root();
  const bool alone = ranks_ == 1;
  for (const Candidate& candidate : candidates()) {
    for (const std::size_t length : {8UL, 8008UL, 160'008UL}) {
      const auto allreduce = candidate.make(world_, length);
      std::vector<float> values(length);
      for (std::size_t i = 0; i < length; i += 8) {
        values[i] = limits::max();                                           // overflows beyond one rank
        values[i + 1] = is_root ? limits::infinity() : 1.0F;                 // infinite
        values[i + 2] = is_root ? limits::infinity() : -limits::infinity();  // undefined beyond one rank
        values[i + 3] = is_root ? limits::quiet_NaN() : 1.0F;                // undefined
        values[i + 4] = is_root ? limits::denorm_min() : 0.0F;               // not flushed to zero
        values[i + 5] = is_root ? limits::max() : 0.0F;                      // kept
        values[i + 6] = -0.0F;                                               // -0 + -0 is -0
        values[i + 7] = is_root ? limits::lowest() : 0.0F;
      }

      allreduce->sum(values);

      std::size_t wrong = 0;
      for (std::size_t i = 0; i < length; i += 8) {
        wrong += values[i] != (alone ? limits::max() : limits::infinity());
        wrong += values[i + 1] != limits::infinity();
        wrong += !(alone ? std::isinf(values[i + 2]) : std::isnan(values[i + 2]));
        wrong += !std::isnan(values[i + 3]);
        wrong += values[i + 4] != limits::denorm_min();
        wrong += values[i + 5] != limits::max();
        wrong += !(values[i + 6] == 0.0F && std::signbit(values[i + 6]));
        wrong += values[i + 7] != limits::lowest();
      }
      EXPECT_EQ(wrong, 0U) << candidate.name << ", length " << length;
    }
  }
}

TEST_F(AllreduceTest, LeavesTheElementsAroundTheArrayAlone) {
  constexpr std::size_t margin = 64;
  for (const Candidate& candidate : candidates()) {
    for (const std::size_t length : {1UL, 17UL, 5000UL, 66'001UL}) {
      const auto allreduce = candidate.make(world_, length);
      std::vector<float> values(length + 2 * margin + 1, 0.5F);

      allreduce->sum(std::span(values).subspan(margin + 1, length));  // and not aligned

      const auto is_untouched = [](float value) { return value == 0.5F; };
      EXPECT_TRUE(std::all_of(values.begin(), values.begin() + margin + 1, is_untouched)) << candidate.name;
      EXPECT_TRUE(std::all_of(values.end() - margin, values.end(), is_untouched)) << candidate.name;
      EXPECT_EQ(values[margin + length], 0.5F * static_cast<float>(ranks_)) << candidate.name;
    }
  }
}

TEST_F(AllreduceTest, TwoOfThemWorkSideBySide) {
  constexpr std::size_t short_length[] = {5000}, long_length[] = {100'000};
  const std::vector<Call> a = calls_of(world_, short_length, 5);
  const std::vector<Call> b = calls_of(world_, long_length, 5);
  for (const Candidate& candidate : candidates()) {
    const auto first = candidate.make(world_, *short_length);
    const auto second = candidate.make(world_, *long_length);
    for (std::size_t k = 0; k < a.size(); ++k) {
      std::vector<float> firsts = a[k].mine;
      std::vector<float> seconds = b[k].mine;

      first->sum(firsts);
      second->sum(seconds);

      EXPECT_TRUE(is_sum(firsts, a[k].expected, 0.0)) << candidate.name;
      EXPECT_TRUE(is_sum(seconds, b[k].expected, 0.0)) << candidate.name;
    }
  }
}

TEST_F(AllreduceTest, AnArrayLongerThanPromisedIsAnError) {
  for (const Candidate& candidate : candidates()) {
    const auto allreduce = candidate.make(world_, 10);
    std::vector<float> values(11);
    EXPECT_THROW(allreduce->sum(values), Error) << candidate.name;
  }
}

TEST_F(AllreduceTest, SharedMemoryAcrossNodesIsAnErrorThatNamesHierarchical) {
  if (world_.node().size() == world_.size()) GTEST_SKIP() << "all ranks are on one node";
  try {
    (void)make_allreduce("shared_memory", world_, 1);
    FAIL() << "ranks of different nodes share no memory";
  } catch (const ConfigError& error) {
    EXPECT_NE(std::string(error.what()).find("hierarchical"), std::string::npos) << error.what();
  }
}

}  // namespace
}  // namespace lockstep::comm
