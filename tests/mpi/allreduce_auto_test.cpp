// SPDX-License-Identifier: BSD-3-Clause
// The allreduce that chooses: how it judges times, what it says that it chose, and what it keeps.
#include <algorithm>
#include <functional>
#include <limits>
#include <memory>
#include <string>
#include <vector>

#include <gtest/gtest.h>
#include <unistd.h>

#include "../support/counted_new.hpp"
#include "allreduce_testing.hpp"
#include "comm/allreduce_choice.hpp"

namespace lockstep::comm {
namespace {

constexpr double never = std::numeric_limits<double>::infinity();

TEST(RaceLengths, GoDownByFoursFromTheLongest) {
  EXPECT_EQ(race_lengths(218'059), (std::vector<std::size_t>{218'059, 54'514, 13'628, 3'407, 851, 212, 53}));
  EXPECT_EQ(race_lengths(64), (std::vector<std::size_t>{64, 16}));
  EXPECT_EQ(race_lengths(3), (std::vector<std::size_t>{3}));
  EXPECT_TRUE(race_lengths(0).empty());
}

TEST(PickWinner, TakesTheFastest) {
  EXPECT_EQ(pick_winner(std::vector{5.0, 3.0, 4.0}, 0), 1U);
  EXPECT_EQ(pick_winner(std::vector{5.0, 9.0, 4.0}, 1), 2U);
}

TEST(PickWinner, StaysWithTheWinnerBeforeWhenTheDifferenceMayBeNoise) {
  EXPECT_EQ(pick_winner(std::vector{9.0, 4.0, 4.3}, 2), 2U);
  EXPECT_EQ(pick_winner(std::vector{9.0, 4.0, 4.5}, 2), 1U);
  EXPECT_EQ(pick_winner(std::vector{4.1, 4.0, 4.35}, 2), 0U);  // not when `mpi` is better by more than 5%
}

TEST(PickWinner, PrefersTheFirstWhenTheDifferenceMayBeNoise) {
  EXPECT_EQ(pick_winner(std::vector{4.1, 4.0, 9.0}, 2), 0U);
  EXPECT_EQ(pick_winner(std::vector{4.3, 4.0, 9.0}, 2), 1U);
}

TEST(IsHopeless, OnlyOneThatIsFarBehindAndFallsNoMore) {
  EXPECT_TRUE(is_hopeless(10.0, 11.0, 2.0));
  EXPECT_FALSE(is_hopeless(10.0, 11.0, 3.0));   // not far behind
  EXPECT_FALSE(is_hopeless(10.0, 40.0, 2.0));   // a quarter of the array took a quarter of the time
  EXPECT_FALSE(is_hopeless(10.0, never, 2.0));  // measured for the first time
}

/// Sums nothing, and takes the time that it is told to.
class Sleeper final : public Allreduce {
 public:
  explicit Sleeper(std::function<int(std::size_t length)> microseconds)
      : microseconds_(std::move(microseconds)) {}
  void sum(std::span<float> inout) override {
    if (const int us = microseconds_(inout.size()); us > 0) usleep(static_cast<unsigned>(us));
  }
  [[nodiscard]] std::string_view name(std::size_t) const override { return "sleeper"; }
  [[nodiscard]] std::size_t sent_bytes(std::size_t) const override { return 0; }

 private:
  std::function<int(std::size_t)> microseconds_;
};

class AutoAllreduceTest : public AllreduceTest {
 protected:
  [[nodiscard]] std::vector<RaceRange> race_of(std::vector<std::function<int(std::size_t)>> times,
                                               std::size_t max_length) const {
    std::vector<RaceEntry> entries;
    for (auto& time : times) entries.push_back({nullptr, std::make_unique<Sleeper>(std::move(time))});
    return race(world_, entries, max_length);
  }
};

TEST_F(AutoAllreduceTest, ARaceFindsWhoIsFasterWhere) {
  const auto ranges =
      race_of({[](std::size_t) { return 30'000; },  // slow at all lengths
               [](std::size_t) { return 5'000; },   // no slower at long ones
               [](std::size_t length) { return length > 500 ? static_cast<int>(8 * length) : 50; }},
              4096);

  ASSERT_EQ(ranges.size(), 2U);  // the same on all ranks, or the next test says so
  EXPECT_EQ(ranges[0].winner, 2U);
  EXPECT_EQ(ranges[0].up_to, 512U);  // half-way from 256 to 1024, where another won
  EXPECT_EQ(ranges[1].winner, 1U);
  EXPECT_EQ(ranges[1].up_to, 4096U);
}

TEST_F(AutoAllreduceTest, OneThatIsOutAfterTheFirstRoundDoesNotMixUpTheOthers) {
  const auto ranges = race_of({[](std::size_t) { return 100'000; }, [](std::size_t) { return 1'000; },
                               [](std::size_t) { return 6'000; }},
                              4096);

  ASSERT_EQ(ranges.size(), 1U);
  EXPECT_EQ(ranges[0].winner, 1U);
}

TEST_F(AutoAllreduceTest, TheSlowestRankDecidesARace) {
  const bool is_last = world_.rank() + 1 == ranks_;
  const auto ranges = race_of(  // of one length, at which 16 calls are timed at once
      {[](std::size_t) { return 1'000; }, [is_last](std::size_t) { return is_last ? 8'000 : 0; }}, 16);

  ASSERT_EQ(ranges.size(), 1U);
  EXPECT_EQ(ranges[0].winner, 0U);
}

TEST_F(AutoAllreduceTest, EveryRankMakesTheSameChoices) {
  for (const std::size_t longest : {0UL, 1UL, 100UL, 20'000UL, 300'000UL}) {
    const std::string mine = to_text(make_allreduce("auto", world_, longest)->choices());
    std::string roots = mine;
    world_.broadcast(roots);
    EXPECT_EQ(mine, roots) << longest;
  }
}

TEST_F(AutoAllreduceTest, ChoicesCoverAllLengthsAndNameOtherRows) {
  for (const std::size_t longest : {0UL, 1UL, 100UL, 20'000UL, 300'000UL}) {
    const auto choices = make_allreduce("auto", world_, longest)->choices();
    EXPECT_FALSE(choices.empty()) << longest;
    for (std::size_t k = 0; k < choices.size(); ++k) {
      EXPECT_TRUE(std::any_of(allreduce_table().begin(), allreduce_table().end(),
                              [&](const AllreduceRow& row) { return row.name == choices[k].name; }))
          << choices[k].name;
      EXPECT_NE(choices[k].name, "auto");
      if (k == 0) continue;
      EXPECT_GT(choices[k].up_to_bytes, choices[k - 1].up_to_bytes);
      EXPECT_NE(choices[k].name, choices[k - 1].name);
    }
    if (!choices.empty()) {
      EXPECT_EQ(choices.back().up_to_bytes, longest * sizeof(float));
    }
  }
}

TEST_F(AutoAllreduceTest, OtherRowsHaveNoChoices) {
  for (const AllreduceRow& row : allreduce_table())
    if (row.name != "auto") {
      EXPECT_TRUE(row.make(world_, 10)->choices().empty()) << row.name;
    }
}

TEST_F(AutoAllreduceTest, ChoicesAreToldInOneLine) {
  EXPECT_EQ(to_text({}), "");
  EXPECT_EQ(to_text({{256, "ring"}, {4096, "mpi"}}), "ring up to 256 B, mpi up to 4096 B");
}

TEST_F(AutoAllreduceTest, KeepsTheBuffersOfItsChoicesAlone) {
  constexpr std::size_t longest = 500'000;
  const std::size_t before = aligned_bytes();

  const auto allreduce = make_allreduce("auto", world_, longest);
  const std::size_t kept = aligned_bytes() - before;

  std::vector<std::unique_ptr<Allreduce>> same;
  const std::size_t before_same = aligned_bytes();
  std::vector<AllreduceChoice> choices = allreduce->choices();
  std::vector<std::string> seen;
  for (auto choice = choices.rbegin(); choice != choices.rend(); ++choice) {  // a row's longest range first
    const std::string name(choice->name);
    if (std::find(seen.begin(), seen.end(), name) != seen.end()) continue;
    seen.push_back(name);
    same.push_back(make_allreduce(name, world_, choice->up_to_bytes / sizeof(float)));
  }
  EXPECT_EQ(kept, aligned_bytes() - before_same) << to_text(choices);
}

TEST_F(AutoAllreduceTest, ARowThatSuitsTheseRanksCanBeMade) {
  const NodeLayout layout = node_layout(world_);
  EXPECT_EQ(layout.ranks, ranks_);
  for (const AllreduceRow& row : allreduce_table())
    if (row.suits(layout)) {
      EXPECT_NO_THROW((void)row.make(world_, 10)) << row.name;
    }
}

}  // namespace
}  // namespace lockstep::comm
