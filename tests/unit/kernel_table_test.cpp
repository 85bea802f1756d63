// SPDX-License-Identifier: BSD-3-Clause
// Times of kernels, and who is told of work.
#include "simulate/kernel_table.hpp"

#include <set>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "comm/transfer.hpp"
#include "core/error.hpp"
#include "core/json.hpp"

namespace lockstep::simulate {
namespace {

const Json measured = {{"kernels", {{"add", {{10, 2.0}, {20, 3.0}}}}}};

Work add(std::size_t count, double share = 1.0) {
  return {.kernel = "add", .count = count, .cost = {}, .share = share};
}

std::string error_of(const Json& given) {
  try {
    const KernelTable table(given);
  } catch (const ConfigError& error) {
    return error.what();
  }
  return "";
}

TEST(KernelTable, InterpolatesBetweenCountsAndIsProportionalBeyondThem) {
  const KernelTable table(measured);
  EXPECT_DOUBLE_EQ(table.seconds_of(add(10)), 2.0);
  EXPECT_DOUBLE_EQ(table.seconds_of(add(15)), 2.5);
  EXPECT_DOUBLE_EQ(table.seconds_of(add(20)), 3.0);
  EXPECT_DOUBLE_EQ(table.seconds_of(add(5)), 1.0);
  EXPECT_DOUBLE_EQ(table.seconds_of(add(40)), 6.0);
  EXPECT_DOUBLE_EQ(table.seconds_of(add(20, 0.25)), 0.75) << "a shard takes its share";
  EXPECT_DOUBLE_EQ(table.seconds_of(add(0)), 0.0);
}

TEST(KernelTable, TakesOperationsAndBytesForKernelsThatItHasNot) {
  Json given = measured;
  given["gflops"] = 2.0;
  given["gbytes_per_s"] = 4.0;
  const KernelTable table(given);
  EXPECT_DOUBLE_EQ(table.seconds_of({.kernel = "new", .count = 1, .cost = {.flop = 2e9, .bytes = 1e9}}), 1.0);
  EXPECT_DOUBLE_EQ(table.seconds_of({.kernel = "new", .count = 1, .cost = {.flop = 2e9, .bytes = 8e9}}), 2.0);
  EXPECT_DOUBLE_EQ(table.seconds_of(add(10)), 2.0);
  EXPECT_NE(table.note().find("note: 1 kernels are not in the table"), std::string::npos) << table.note();
  EXPECT_NE(table.note().find("'new'"), std::string::npos);
}

TEST(KernelTable, RefusesAKernelThatNothingIsKnownOf) {
  const KernelTable table(measured);
  try {
    (void)table.seconds_of({.kernel = "softmax 10>10 forward", .count = 1});
    FAIL();
  } catch (const ConfigError& error) {
    EXPECT_NE(std::string(error.what()).find("softmax 10>10 forward"), std::string::npos) << error.what();
  }
}

TEST(KernelTable, SaysWhatIsWrongWithAFile) {
  EXPECT_NE(error_of(Json::array()).find("no kernel table"), std::string::npos);
  EXPECT_NE(error_of({{"kernels", Json::object()}, {"gflop", 1}}).find("gflops"), std::string::npos);
  EXPECT_NE(error_of({{"kernels", Json::object()}, {"gflops", 1}}).find("gbytes_per_s"), std::string::npos);
  for (const Json& points :
       {Json::array(), Json(1), Json::array({Json::array({1})}), Json::array({Json::array({0, 1.0})}),
        Json::array({Json::array({1, -1.0})}), Json::array({Json::array({2, 1.0}), Json::array({1, 1.0})})})
    EXPECT_NE(error_of({{"kernels", {{"add", points}}}}).find("'add'"), std::string::npos) << points;
}

/// Adds up what it is told.
class Account final : public WorkMeter {
 public:
  explicit Account(bool is_done) : is_done_(is_done) { work_meter = this; }
  ~Account() override { work_meter = nullptr; }
  [[nodiscard]] bool begin(const Work& work) override {
    flop += work.cost.flop;
    return is_done_;
  }
  void end() override { ++ended; }

  double flop = 0.0;
  int ended = 0;

 private:
  bool is_done_;
};

TEST(Working, IsToldToWhoKeepsAccountAndIsLeftOutIfTheySaySo) {
  const std::vector<float> from(100, 1.0F);
  for (const bool is_done : {true, false}) {
    std::vector<float> to(100, 1.0F);
    const Account account(is_done);
    comm::add(to, from);
    EXPECT_EQ(account.flop, 100.0);
    EXPECT_EQ(account.ended, 1);
    EXPECT_EQ(to, std::vector<float>(100, is_done ? 2.0F : 1.0F));
  }
}

}  // namespace
}  // namespace lockstep::simulate
