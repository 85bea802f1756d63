// SPDX-License-Identifier: BSD-3-Clause
// Which ranks are named when nobody makes progress.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include "watch/stall.hpp"

namespace lockstep::watch {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

constexpr auto computes = static_cast<std::uint32_t>(Phase::compute);
constexpr auto waits = static_cast<std::uint32_t>(Phase::wait);
constexpr auto exchanges = static_cast<std::uint32_t>(Phase::exchange);

RankView view(std::uint32_t rank, std::uint32_t phase, std::uint64_t begun = 7, char state = 'R') {
  return {.rank = rank,
          .process = 100,
          .phase = phase,
          .epoch = 2,
          .step = 17,
          .changes = 40,
          .waits = begun,
          .idle_s = 61.0,
          .state = state};
}

std::vector<std::uint32_t> late(const std::vector<RankView>& ranks) {
  std::vector<std::uint32_t> numbers;
  for (const RankView& one : late_ranks(ranks)) numbers.push_back(one.rank);
  return numbers;
}

const std::vector<std::string> hosts = {"n0", "n0", "n1", "n1", "n2", "n2", "n3"};

TEST(Stall, AProcessThatCannotRunIsLateWhateverTheOthersDo) {
  for (const char state : {'T', 't', 'Z', 'X', '-'})
    EXPECT_THAT(late({view(0, waits), view(1, computes), view(2, exchanges, 7, state)}), ElementsAre(2))
        << state;
}

TEST(Stall, ARankOutsideAnyExchangeIsLate) {
  EXPECT_THAT(late({view(0, waits), view(1, computes), view(2, exchanges)}), ElementsAre(1));
}

// All may be outside of exchanges: in an evaluation that one rank has not reached, or before the first step.
TEST(Stall, OfRanksOutsideExchangesThoseThatHaveBegunFewerAreLate) {
  EXPECT_THAT(late({view(0, computes, 8), view(1, computes, 7), view(2, computes, 8)}), ElementsAre(1));
  EXPECT_THAT(late({view(0, computes), view(1, computes)}), ElementsAre(0, 1));
}

TEST(Stall, OfRanksInExchangesThoseThatHaveBegunFewerAreLate) {
  EXPECT_THAT(late({view(0, waits, 8), view(1, exchanges, 7), view(2, waits, 8)}), ElementsAre(1));
  EXPECT_THAT(late({view(0, waits), view(1, exchanges)}), IsEmpty());
}

// A rank that has come out of the barrier with the others and does not begin, or does not end, the exchange.
TEST(Stall, OfRanksInTheSameExchangeThoseThatAreBehindAreLate) {
  RankView behind = view(1, waits), ahead = view(0, exchanges);
  ahead.since_wait = 1;
  EXPECT_THAT(late({ahead, behind}), ElementsAre(1));
  behind = view(1, exchanges);
  behind.since_wait = 1;
  ahead.since_wait = 3;
  EXPECT_THAT(late({ahead, behind}), ElementsAre(1));
}

TEST(Stall, IsDescribedWithRankHostPhaseAndStep) {
  const std::string text = describe_stall(std::vector{view(0, waits), view(1, waits), view(2, computes),
                                                      view(3, waits), view(4, waits), view(5, waits)},
                                          hosts);
  EXPECT_THAT(
      text,
      HasSubstr("  rank 2 on n1 (process 100): no progress for 61 s; in compute, epoch 3, after step 17\n"));
  EXPECT_THAT(text, HasSubstr("  waiting: ranks 0, 1, 3-5; in wait, epoch 3, after step 17\n"));
}

TEST(Stall, InTheSameExchangeBlamesNoRank) {
  const std::string text = describe_stall(std::vector{view(0, exchanges), view(1, exchanges)}, hosts);
  EXPECT_THAT(text, HasSubstr("all ranks are in exchange"));
  EXPECT_THAT(text, Not(HasSubstr("rank 0")));
}

TEST(Stall, SaysOfASilentRankWhatIsKnown) {
  RankView silent{.idle_s = 61.0, .state = '-'};
  const std::string text = describe_stall(std::vector{silent, view(1, waits)}, hosts);
  EXPECT_THAT(text, HasSubstr("  rank 0 on n0: not heard of for 61 s"));
  EXPECT_THAT(text, Not(HasSubstr("process 0")));
}

TEST(Stall, OfManyLateRanksNamesTheFirst) {
  std::vector<RankView> ranks = {view(0, waits)};
  std::vector<std::string> names = {"n0"};
  for (std::uint32_t rank = 1; rank <= 20; ++rank) {
    ranks.push_back(view(rank, waits, 7, '-'));
    names.emplace_back("n9");
  }
  const std::string text = describe_stall(ranks, names);
  EXPECT_THAT(text, HasSubstr("rank 8 on n9"));
  EXPECT_THAT(text, Not(HasSubstr("rank 9 on n9")));
  EXPECT_THAT(text, HasSubstr("and 12 more ranks"));
}

TEST(Stall, ReadsTheStateOfProcesses) {
  EXPECT_EQ(process_state(getpid()), 'R');
  EXPECT_EQ(process_state(999'999'999), 'X');
}

}  // namespace
}  // namespace lockstep::watch
