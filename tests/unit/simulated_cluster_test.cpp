// SPDX-License-Identifier: BSD-3-Clause
// Described networks, and what goes wrong over time.
#include <cmath>
#include <string>

#include <gtest/gtest.h>

#include "core/error.hpp"
#include "core/json.hpp"
#include "core/json_text.hpp"
#include "simulate/course.hpp"
#include "simulate/network.hpp"

namespace lockstep::simulate {
namespace {

Network network(const std::string& text, double beta = 1e-9) {
  Network network;
  network.read(parse_json(text), 1e-6, beta);
  return network;
}

Trouble trouble(const std::string& text) {
  Trouble trouble;
  trouble.read(parse_json(text));
  return trouble;
}

TEST(Network, HasRoomForTheNodesOfItsTopology) {
  EXPECT_EQ(network("{}").most_nodes(), 0U);
  EXPECT_EQ(network(R"({"topology": "torus", "dimensions": "4x3x2"})").most_nodes(), 24U);
  EXPECT_EQ(
      network(R"({"topology": "dragonfly", "groups": 3, "routers_per_group": 4, "nodes_per_router": 5})")
          .most_nodes(),
      60U);
}

TEST(Network, OversubscriptionAndFasterLinksLeaveFewerLinksUpwards) {
  const std::string tree = R"({"topology": "fat_tree", "nodes_per_switch": 16, )";
  EXPECT_EQ(network(tree + R"("oversubscription": 1})").uplinks(1e-9), 16U);
  EXPECT_EQ(network(tree + R"("oversubscription": 2})").uplinks(1e-9), 8U);
  EXPECT_EQ(network(tree + R"("oversubscription": 2, "link_beta_s_per_byte": 2.5e-10})").uplinks(1e-9), 2U);
  EXPECT_THROW((void)network(tree + R"("oversubscription": 3})"), ConfigError);
}

TEST(Network, ValuesAreReadAsTheSameNetwork) {
  const Json values = network(R"({"topology": "dragonfly", "groups": 2, "routers_per_group": 2,
                                  "nodes_per_router": 2, "hop_s": 1e-7})")
                          .values();
  EXPECT_EQ(values["links_between_groups"], 1);
  EXPECT_FALSE(values.contains("dimensions"));
  EXPECT_EQ(network(values.dump()).values(), values);
}

TEST(NodeNames, AreNumbersRangesOrAll) {
  const NodeNames some("0-2,7");
  for (const std::size_t node : {0U, 1U, 2U, 7U}) EXPECT_TRUE(some.contains(node));
  for (const std::size_t node : {3U, 6U, 8U}) EXPECT_FALSE(some.contains(node));
  EXPECT_TRUE(NodeNames("all").contains(1'000'000));
  for (const char* bad : {"", ",", "1,", "-1", "1-", "2-1", "one", "1 2", "99999999999999999999"})
    EXPECT_THROW(NodeNames{bad}, ConfigError) << bad;
}

TEST(Course, FollowsPeriodsThatOverlap) {
  const Trouble slow = trouble(R"({"nodes": {"0": {"speed": 0.5, "from_s": 1, "for_s": 2, "every_s": 4},
                                             "0-1": {"speed": 0.25, "from_s": 2}}})");
  Course course = Course::of_core(slow, 0, 0);
  EXPECT_EQ(course.value(), 1.0);
  const double times[] = {1, 2, 3, 5, 7, 9}, values[] = {0.5, 0.125, 0.25, 0.125, 0.25, 0.125};
  for (std::size_t i = 0; i < 6; ++i) {
    course.advance();
    EXPECT_EQ(course.time_s(), times[i]);
    EXPECT_EQ(course.value(), values[i]) << times[i];
  }
  Course once = Course::of_core(slow, 1, 0);
  once.advance();
  EXPECT_EQ(once.value(), 0.25);
  EXPECT_TRUE(std::isinf(once.next_change_s()));
  EXPECT_TRUE(std::isinf(Course::of_core(slow, 2, 0).next_change_s()));
}

TEST(Course, NoiseIsAFunctionOfSeedAndCore) {
  const auto speeds = [](const char* seed, std::size_t core) {
    Course course = Course::of_core(
        trouble(std::string(R"({"noise": {"mean": 0.2, "period_s": 0.5}, "seed": )") + seed + "}"), 0, core);
    std::vector<double> all;
    for (int i = 0; i < 200; ++i) {
      all.push_back(course.value());
      course.advance();
      EXPECT_EQ(course.time_s(), 0.5 * (i + 1));
    }
    return all;
  };
  EXPECT_EQ(speeds("1", 0), speeds("1", 0));
  EXPECT_NE(speeds("1", 0), speeds("2", 0));
  EXPECT_NE(speeds("1", 0), speeds("1", 1));
  for (const double speed : speeds("1", 0)) EXPECT_TRUE(speed > 0.0 && speed < 1.0);
}

TEST(Trouble, DelaysTheMessagesOfBadLinksOnly) {
  const Trouble lossy =
      trouble(R"({"links": {"1": {"loss": 0.5, "retransmit_s": 2}, "2": {"extra_s": 0.25, "for_s": 10}}})");
  double sum = 0.0;
  for (std::uint32_t i = 0; i < 1000; ++i) {
    EXPECT_EQ(lossy.delay_s(0, 3, 0, i, 0.0), 0.0);
    sum += lossy.delay_s(0, 1, 0, i, 0.0);
  }
  EXPECT_NEAR(sum / 1000.0, 2.0, 0.3);  // a geometric distribution of attempts: p / (1 - p) of them are lost
  EXPECT_EQ(lossy.delay_s(2, 0, 5, 7, 9.0), 0.25);
  EXPECT_EQ(lossy.delay_s(2, 0, 5, 7, 10.0), 0.0);
}

}  // namespace
}  // namespace lockstep::simulate
