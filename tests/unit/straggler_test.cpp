// SPDX-License-Identifier: BSD-3-Clause
// Who is called the slowest rank, and when nobody is.
#include "record/straggler.hpp"

#include <gtest/gtest.h>

namespace lockstep::record {
namespace {

// Two epochs; every rank trains 10 s in each.
RunRecord waited(const std::vector<double>& wait_s) {
  RunRecord record;
  const std::size_t ranks = wait_s.size();
  Series waits{.group = "epochs", .name = "wait_s", .ranks = ranks};
  Series trains{.group = "epochs", .name = "train_s", .ranks = ranks};
  for (int epoch = 0; epoch < 2; ++epoch) {
    waits.append(wait_s);
    trains.append(std::vector<double>(ranks, 10.0));
  }
  record.series = {trains, waits};
  Json hosts = Json::array();
  for (std::size_t rank = 0; rank < ranks; ++rank) hosts.push_back("n" + std::to_string(rank / 2));
  record.provenance["hosts"] = hosts;
  return record;
}

TEST(Straggler, IsTheRankForWhichTheOthersWait) {
  const auto found = straggler(waited({2.0, 2.0, 0.1, 3.5}));
  ASSERT_TRUE(found);
  EXPECT_EQ(found->rank, 2U);
  EXPECT_EQ(found->host, "n1");
  EXPECT_DOUBLE_EQ(found->wait_s, 5.0);
  EXPECT_DOUBLE_EQ(found->wait_share, 0.25);
  EXPECT_EQ(to_text(*found),
            "rank 2 on n1 was the slowest: the other ranks waited 25% of their time for it (5 s each)");
}

TEST(Straggler, IsNobodyWhereAllWaitAlikeOrLittle) {
  EXPECT_FALSE(straggler(waited({2.0, 2.0, 2.1})));
  EXPECT_FALSE(straggler(waited({0.4, 0.4, 0.0})));
  EXPECT_FALSE(straggler(waited({0.0})));
  EXPECT_FALSE(straggler(RunRecord{}));
}

}  // namespace
}  // namespace lockstep::record
