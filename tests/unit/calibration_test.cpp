// SPDX-License-Identifier: BSD-3-Clause
// A cluster's numbers from times that are known.
#include "simulate/calibration.hpp"

#include <cmath>
#include <random>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "core/error.hpp"
#include "core/json.hpp"
#include "core/json_text.hpp"

namespace lockstep::simulate {
namespace {

MessageTime took(std::size_t bytes, double seconds) {
  return {.bytes = bytes, .seconds = {.low = seconds, .median = seconds, .high = seconds}};
}

std::vector<MessageTime> times_on(const Line& line) {
  std::vector<MessageTime> times{took(0, line.alpha_s)};
  for (std::size_t bytes = 4; bytes <= (8U << 20U); bytes *= 2)
    times.push_back(took(bytes, line.seconds(bytes)));
  return times;
}

TEST(LineFit, FindsTheLineThatMadeTheTimes) {
  for (const double alpha_s : {1e-7, 5e-5, 1e-2})
    for (const double beta_s_per_byte : {1e-11, 8e-8}) {
      const auto times = times_on({.alpha_s = alpha_s, .beta_s_per_byte = beta_s_per_byte});
      const Line line = fit_line(times);
      EXPECT_NEAR(line.alpha_s / alpha_s, 1.0, 1e-9);
      EXPECT_NEAR(line.beta_s_per_byte / beta_s_per_byte, 1.0, 1e-9);
      EXPECT_LT(errors_of(line, times).largest, 1e-9);
    }
}

TEST(LineFit, FindsTheLineWhereAThirdOfTheSizesWereDisturbed) {
  const Line made{.alpha_s = 2e-5, .beta_s_per_byte = 8e-8};
  auto times = times_on(made);
  for (std::size_t i = 0; i < times.size(); i += 3) times[i].seconds.median *= 100.0;
  const Line line = fit_line(times);
  EXPECT_NEAR(line.alpha_s / made.alpha_s, 1.0, 1e-9);
  EXPECT_NEAR(line.beta_s_per_byte / made.beta_s_per_byte, 1.0, 1e-9);
}

TEST(LineFit, FollowsLongMessagesWhereShortOnesAreFasterThanTheCable) {
  // As through a bucket of tokens: the first kilobytes are free.
  const Line made{.alpha_s = 2e-5, .beta_s_per_byte = 8e-8};
  auto times = times_on(made);
  for (MessageTime& time : times)
    if (time.bytes < 512 << 10) time.seconds.median = 2e-5 + 4e-8 * static_cast<double>(time.bytes);
  EXPECT_NEAR(fit_line(times).beta_s_per_byte / 8e-8, 1.0, 0.02);
}

TEST(LineFit, CountsEachLongSizeAlike) {
  // Most sizes lie on one line; in seconds the last one is off by more than all others together.
  std::vector<MessageTime> times = times_on({.alpha_s = 1e-6, .beta_s_per_byte = 1e-9});
  times.back().seconds.median *= 2.0;
  EXPECT_NEAR(fit_line(times).beta_s_per_byte, 1e-9, 1e-18);
}

TEST(LineFit, SaysWhichSizeIsOffMost) {
  auto times = times_on({.alpha_s = 1e-6, .beta_s_per_byte = 1e-9});
  times[8].seconds.median *= 3.0;
  const LineErrors errors = errors_of(fit_line(times), times);
  EXPECT_EQ(errors.largest_at_bytes, times[8].bytes);
  EXPECT_NEAR(errors.largest, 2.0 / 3.0, 1e-9);
  EXPECT_LT(errors.median, 1e-9);
}

TEST(LineFit, RefusesTimesThatDoNotGrow) {
  const std::vector<MessageTime> times{took(0, 1e-3), took(1000, 1e-4), took(2000, 1e-5)};
  EXPECT_THROW((void)fit_line(times), Error);
}

TEST(Quantile, LiesBetweenTheTwoNearestValues) {
  EXPECT_DOUBLE_EQ(quantile({3.0, 1.0, 2.0}, 0.5), 2.0);
  EXPECT_DOUBLE_EQ(quantile({4.0, 1.0, 2.0, 3.0}, 0.5), 2.5);
  EXPECT_DOUBLE_EQ(quantile({7.0}, 0.99), 7.0);
  const Quartiles quartiles = quartiles_of({5.0, 1.0, 2.0, 3.0, 4.0});
  EXPECT_DOUBLE_EQ(quartiles.low, 2.0);
  EXPECT_DOUBLE_EQ(quartiles.high, 4.0);
}

TEST(Noise, FindsDelaysAndSlowRanks) {
  std::mt19937 random(1);
  std::bernoulli_distribution is_late(0.1);
  std::vector<std::vector<double>> seconds(3);
  for (int i = 0; i < 20'000; ++i)
    for (std::size_t rank = 0; rank < 3; ++rank)
      seconds[rank].push_back((rank == 2 ? 2e-3 : 1e-3) * (is_late(random) ? 1.5 : 1.0));
  const Noise noise = noise_of(seconds);
  EXPECT_EQ(noise.quanta, 20'000U);
  EXPECT_DOUBLE_EQ(noise.quantum_s, 1e-3);
  // x is 0.5 with probability 0.1: mean 0.05, standard deviation 0.15.
  EXPECT_NEAR(noise.mean_delay, 0.05, 0.002);
  EXPECT_NEAR(noise.delay_cv, 3.0, 0.1);
  EXPECT_NEAR(noise.cv, 0.15 / 1.05, 0.005);
  EXPECT_DOUBLE_EQ(noise.p99, 1.5);
  EXPECT_DOUBLE_EQ(noise.largest, 1.5);
  EXPECT_EQ(noise.speeds, (std::vector<double>{1.0, 1.0, 0.5}));
}

TEST(Noise, IsNothingWhereAllTimesAreAlike) {
  const Noise noise = noise_of({{1e-3, 1e-3}, {1e-3, 1e-3}});
  EXPECT_EQ(noise.mean_delay, 0.0);
  EXPECT_EQ(noise.delay_cv, 0.0);
  EXPECT_EQ(noise.largest, 1.0);
}

Calibration calibration(bool within_node, bool between_nodes) {
  Calibration found{.layout = {.nodes = {{0, 1}, {2, 3}}, .hosts = {"a", "a", "b", "b"}, .cores = 2}};
  const auto series = [](Pair pair, const Line& line) {
    MessageSeries made{.pair = pair, .times = times_on(line), .line = line};
    for (const MessageTime& time : made.times) made.both_ways_s.push_back(time.seconds.median);
    made.errors = errors_of(line, made.times);
    return made;
  };
  if (within_node) found.within_node = series({0, 1}, {.alpha_s = 1e-6, .beta_s_per_byte = 1e-10});
  if (between_nodes) found.between_nodes = series({0, 2}, {.alpha_s = 2e-5, .beta_s_per_byte = 1e-9});
  found.noise = noise_of({{1.0, 1.0}, {1.0, 1.0}, {1.0, 1.0}, {1.0, 1.0}});
  return found;
}

TEST(CalibratedCluster, HasTheLinesOfItsMessages) {
  const Json both = cluster_of(calibration(true, true), "two", "here", 0);
  EXPECT_EQ(both["alpha_s"], 2e-5);
  EXPECT_EQ(both["beta_s_per_byte"], 1e-9);
  EXPECT_EQ(both["memory_alpha_s"], 1e-6);
  EXPECT_EQ(both["memory_beta_s_per_byte"], 1e-10);
  EXPECT_EQ(both["cores_per_node"], 2);
  EXPECT_TRUE(both["fit"]["notes"].empty()) << both["fit"]["notes"];
  EXPECT_EQ(both["fit"]["between_nodes"]["hosts"], (Json{"a", "b"}));
  EXPECT_EQ(cluster_of(calibration(true, true), "two", "here", 16)["cores_per_node"], 16);
}

TEST(CalibratedCluster, SaysWhatWasNotMeasured) {
  const Json alone = cluster_of(calibration(true, false), "one", "here", 0);
  EXPECT_EQ(alone["alpha_s"], 1e-6);
  EXPECT_EQ(alone["beta_s_per_byte"], 1e-10);
  ASSERT_EQ(alone["fit"]["notes"].size(), 1U);
  EXPECT_NE(alone["fit"]["notes"][0].get<std::string>().find("no network was measured"), std::string::npos);
  EXPECT_FALSE(alone["fit"].contains("between_nodes"));

  const Json single = cluster_of(calibration(false, true), "two", "here", 0);
  EXPECT_FALSE(single.contains("memory_alpha_s"));
  ASSERT_EQ(single["fit"]["notes"].size(), 1U);
  EXPECT_NE(single["fit"]["notes"][0].get<std::string>().find("each node has one rank"), std::string::npos);
}

TEST(CalibratedCluster, SaysWhatIsOdd) {
  Calibration found = calibration(true, true);
  found.layout.cores = 1;
  found.noise.speeds = {1.0, 1.0, 0.5, 1.0};
  found.noise.mean_delay = 0.25;
  found.between_nodes->both_ways_s.back() *= 2.0;
  found.between_nodes->errors.median = 0.4;
  found.at_once = {{.what = "many nodes", .pairs = 4, .simulated = 1.0, .times_as_long = 1.5, .slowest = 2.0},
                   {.what = "few nodes", .pairs = 4, .simulated = 4.0, .times_as_long = 4.2, .slowest = 5.0}};
  std::string text;
  for (const std::string& note : notes_on(found)) text += note + "\n";
  for (const char* part :
       {"ranks shared cores", "rank 2 on b worked at 50%", "2.0 times as long as one way",
        "messages between nodes are no straight line", "more than 40%", "equal work took 25% longer",
        "many nodes: 4 pairs at once took 1.50 times as long"})
    EXPECT_NE(text.find(part), std::string::npos) << part << " in " << text;
  EXPECT_EQ(text.find("few nodes"), std::string::npos);
}

TEST(CalibratedCluster, HasTheNoiseThatWasFound) {
  Calibration found = calibration(true, true);
  found.noise = {.quanta = 100, .quantum_s = 0.0025, .mean_delay = 0.05, .delay_cv = 4.0};
  const Json noise = cluster_of(found, "noisy", "here", 0)["trouble"]["noise"];
  EXPECT_EQ(noise["distribution"], "lognormal");
  EXPECT_EQ(noise["mean"], 0.05);
  EXPECT_EQ(noise["period_s"], 0.0025);
  EXPECT_EQ(noise["cv"], 4.0);
  found.noise.mean_delay = 0.0;
  EXPECT_FALSE(cluster_of(found, "quiet", "here", 0).contains("trouble"));
}

TEST(CalibratedCluster, IsWrittenInShortLinesThatReadBack) {
  const Json values = cluster_of(calibration(true, true), "two", "here", 0);
  const std::string text = file_text(values);
  EXPECT_EQ(parse_json(text), values);
  EXPECT_NE(text.find("\n \"alpha_s\": 2e-05,\n"), std::string::npos) << text;
  EXPECT_NE(text.find("{\"bytes\": 4, "), std::string::npos) << text;
}

}  // namespace
}  // namespace lockstep::simulate
