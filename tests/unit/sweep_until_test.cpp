// SPDX-License-Identifier: BSD-3-Clause
// When there are repeats enough, and how long runs will take: by run files that are really there.
#include <cmath>
#include <cstdlib>
#include <limits>
#include <random>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/error.hpp"
#include "record/run_file.hpp"
#include "sweep/estimate.hpp"
#include "sweep/run_state.hpp"
#include "sweep/spec/until.hpp"

namespace lockstep::sweep {
namespace {

namespace fs = std::filesystem;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

std::vector<double> count_to(std::size_t n) {
  std::vector<double> values;
  for (std::size_t i = 1; i <= n; ++i) values.push_back(static_cast<double>(i));
  return values;
}

// The k with which the interval of n values reaches from the k-th smallest to the k-th largest; 0: no
// interval.
std::size_t rank_of_interval(std::size_t n) {
  const auto interval = median_interval(count_to(n));
  if (!interval) return 0;
  EXPECT_EQ(interval->low + interval->high, static_cast<double>(n + 1)) << "not symmetric";
  return static_cast<std::size_t>(interval->low);
}

// P(k-th smallest <= median <= k-th largest) of n values, in whole numbers: 2^n and binomials fit 64 bits
// to 62.
double coverage(std::size_t n, std::size_t k) {
  std::uint64_t outside = 0;
  std::uint64_t binomial = 1;
  for (std::size_t i = 0; i < k; ++i) {
    outside += binomial;
    binomial = binomial * (n - i) / (i + 1);
  }
  return 1.0 - 2.0 * static_cast<double>(outside) / std::exp2(static_cast<double>(n));
}

TEST(MedianInterval, IsTheNarrowestThatCoversWith95Percent) {
  for (std::size_t n = 1; n <= 50; ++n) {
    const std::size_t k = rank_of_interval(n);
    EXPECT_GE(k == 0 ? 1.0 : coverage(n, k), 0.95) << n;
    EXPECT_LT(coverage(n, k + 1), 0.95) << n;
  }
}

TEST(MedianInterval, NeedsSixValues) {
  for (std::size_t n = 0; n < fewest_for_interval; ++n) EXPECT_FALSE(median_interval(count_to(n))) << n;
  const auto six = median_interval({4, 1, 6, 2, 5, 3});
  ASSERT_TRUE(six);
  EXPECT_EQ(six->value, 3.5);
  EXPECT_EQ(six->low, 1.0);
  EXPECT_EQ(six->high, 6.0);
}

TEST(MedianInterval, AgreesWithTablesOfOrderStatistics) {
  EXPECT_EQ(rank_of_interval(8), 1U);
  EXPECT_EQ(rank_of_interval(9), 2U);
  EXPECT_EQ(rank_of_interval(20), 6U);
  EXPECT_EQ(rank_of_interval(100), 40U);
  // Far beyond where 2^-n is a number: n/2 - 0.98 sqrt(n).
  EXPECT_NEAR(static_cast<double>(rank_of_interval(4000)), 2000 - 0.98 * std::sqrt(4000.0), 2.0);
}

TEST(MedianInterval, HoldsTheMedianOfSkewedDrawsAsOftenAsItSays) {
  std::mt19937 random(1);
  std::exponential_distribution<double> draw(1.0);
  const int trials = 4000;
  int held = 0;
  for (int trial = 0; trial < trials; ++trial) {
    std::vector<double> values(11);
    for (double& value : values) value = draw(random);
    const auto interval = median_interval(values);
    held += interval->low <= std::log(2.0) && std::log(2.0) <= interval->high ? 1 : 0;
  }
  EXPECT_NEAR(static_cast<double>(held) / trials, coverage(11, 2), 0.015);
}

TEST(Precision, IsHalfTheIntervalOverTheMedian) {
  const std::vector<double> values = {0.95, 1.0, 1.0, 1.0, 1.0, 1.05};
  EXPECT_TRUE(is_precise(values, 0.0501));
  EXPECT_FALSE(is_precise(values, 0.0499));
  EXPECT_FALSE(is_precise({values.data(), 5}, 0.9)) << "five values give no interval";
  EXPECT_TRUE(is_precise(std::vector<double>{-1, -1, -1, -1, -1, -1}, 0.01));
}

record::RunRecord run_of(const Point& point, std::vector<double> epoch_s,
                         const std::string& status = "complete") {
  record::RunRecord run;
  run.run_id = point.run_id;
  run.status = status;
  run.started = "2025-01-31T12:34:56Z";
  run.config = point.settings;
  double clock_s = 0.0;
  std::vector<double> clock;
  for (const double s : epoch_s) clock.push_back(clock_s += s);
  run.series.push_back({.group = "epochs", .name = "epoch_s", .unit = "s", .values = epoch_s});
  run.series.push_back({.group = "epochs", .name = "wall_clock_s", .unit = "s", .values = clock});
  return run;
}

TEST(Metrics, AreTheMedianOfEpochTimesAndTheLastOfOthers) {
  const auto run = run_of({}, {9.0, 1.0, 2.0});
  EXPECT_EQ(metric_of(run, "epoch_s"), 2.0);
  EXPECT_EQ(metric_of(run, "wall_clock_s"), 12.0);
  EXPECT_EQ(metric_of(run, "test_accuracy"), std::nullopt);
  EXPECT_EQ(metric_of(run_of({}, {1.0, std::numeric_limits<double>::quiet_NaN()}), "wall_clock_s"),
            std::nullopt);
  EXPECT_THROW((void)metric_of(run, "epoch"), ConfigError);
}

TEST(DatedTime, IsThatOfAllSegmentsIfTheirEndsAreKnown) {
  record::RunRecord run = run_of({}, {1000.0});
  EXPECT_EQ(dated_s(run), std::nullopt);
  run.segments = {{.started = "2025-01-31T23:59:50Z", .finished = "2025-02-01T00:00:10Z"},
                  {.started = "2025-02-01T10:00:00Z", .finished = "2025-02-01T11:00:00Z"}};
  EXPECT_EQ(dated_s(run), 3620.0);
  run.segments.push_back({.started = "2025-02-02T10:00:00Z", .finished = "", .status = "killed"});
  EXPECT_EQ(dated_s(run), std::nullopt);
}

class SweepFolder : public ::testing::Test {
 protected:
  SweepFolder() {
    std::string name = (fs::temp_directory_path() / "lockstep-sweep-XXXXXX").string();
    folder_ = ::mkdtemp(name.data());
  }
  ~SweepFolder() override { fs::remove_all(folder_); }

  void write(const Point& point, const std::vector<double>& epoch_s,
             const std::string& status = "complete") const {
    record::write_run_file(run_of(point, epoch_s, status), folder_ / (point.run_id + ".h5"),
                           record::Durability::survives_kill);
  }

  fs::path folder_;
};

constexpr const char* two_points = R"({
  "fixed": {"algorithm": "param_avg", "dataset": "synthetic", "synthetic_train": 100},
  "matrix": {"ranks": [1, 2]},
  "seeds": [5, 6, 3, 1, 9, 2],
  "until": {"metric": "epoch_s", "ci": 0.1, "at_most": 8}})";

TEST_F(SweepFolder, GetsRepeatsOfThePointsWhoseMedianIsNotKnownYet) {
  const Spec spec = parse_spec(two_points, "trial.json", "full");
  std::vector<Point> made = expand(spec);
  ASSERT_EQ(made.size(), 12U);
  for (const Point& point : made) {
    const double noise = point.ranks == 1 ? 0.01 : 0.5;
    write(point, {1.0 + noise * static_cast<double>(point.repeat % 3), 1.0});
  }
  std::vector<Point> more = more_repeats(spec, made, folder_);
  ASSERT_EQ(more.size(), 1U);
  EXPECT_EQ(more[0].ranks, 2U);
  EXPECT_EQ(more[0].repeat, 6U);
  EXPECT_EQ(more[0].settings["seed"], 10) << "the first after the largest";
  EXPECT_EQ(more[0].run_id.substr(0, 30), "param_avg-synthetic-n2-b64-s10");

  write(more[0], {1.0});
  made.push_back(more[0]);
  more = more_repeats(spec, made, folder_);
  ASSERT_EQ(more.size(), 1U);
  EXPECT_EQ(more[0].settings["seed"], 11);
  made.push_back(more[0]);
  EXPECT_THAT(more_repeats(spec, made, folder_), IsEmpty()) << "at_most 8 are made, if not all known";
}

TEST_F(SweepFolder, CountsRunsThatHaveNoValueAsMade) {
  const Spec spec = parse_spec(two_points, "trial.json", "full");
  const std::vector<Point> made = expand(spec);
  for (const Point& point : made)
    write(point, {1.0}, point.repeat == 2 && point.ranks == 2 ? "failed" : "complete");
  const std::vector<Point> more = more_repeats(spec, made, folder_);
  ASSERT_EQ(more.size(), 1U) << "one of six values is missing on two ranks";
  EXPECT_EQ(more[0].ranks, 2U);
  EXPECT_EQ(more[0].repeat, 6U);
}

TEST_F(SweepFolder, GetsNoRepeatsWithoutUntil) {
  const Spec spec = parse_spec(R"({"fixed": {"epochs": 2}})", "trial.json", "full");
  EXPECT_THAT(more_repeats(spec, expand(spec), folder_), IsEmpty());
  const Spec until =
      parse_spec(R"({"fixed": {"epochs": 2}, "until": {"metric": "epoch_s"}})", "trial.json", "full");
  EXPECT_EQ(until.seeds.size(), fewest_for_interval);
}

TEST_F(SweepFolder, TellsTheTimeOfRunsByThoseThatAreComplete) {
  const Spec spec = parse_spec(R"({"fixed": {"algorithm": "param_avg", "dataset": "synthetic"},
                                   "matrix": {"ranks": [1, 2]}, "repeats": 3})",
                               "trial.json", "full");
  Site site;
  site.gflops_per_core = 10.0;
  site.cores_per_node = 2;
  std::vector<Point> points = expand(spec);
  Forecast forecast = estimate_times(spec, points, site, folder_);
  EXPECT_THAT(forecast.complete, IsEmpty());
  const double work_s = (20 * 54.3 + 20 * 4.35) / 10.0;
  for (const Point& point : points) {
    EXPECT_EQ(point.estimate_source, EstimateSource::work);
    EXPECT_NEAR(point.estimate_s, 1.0 + work_s / static_cast<double>(point.ranks), 1.0);
  }

  write(points[0], {4.0, 5.0});  // one rank, the first seed
  write(points[3], {7.0}, "interrupted");
  forecast = estimate_times(spec, points, site, folder_);
  EXPECT_THAT(forecast.complete, ElementsAre(points[0].run_id));
  for (const Point& point : points)
    EXPECT_EQ(point.estimate_source, point.ranks == 1 ? EstimateSource::measured : EstimateSource::work);
  EXPECT_EQ(points[0].estimate_s, 10.0);
  EXPECT_EQ(points[2].estimate_s, 10.0) << "another seed of the same";

  Spec timed = spec;
  timed.time_s = 60.0;
  estimate_times(timed, points, site, folder_);
  for (const Point& point : points) EXPECT_EQ(point.estimate_s, 60.0);
}

TEST(Estimates, ShareCoresWhereThereAreFewerThanRanks) {
  const Spec spec = parse_spec(R"({"fixed": {"algorithm": "param_avg", "dataset": "synthetic", "ranks": 8}})",
                               "t.json", "full");
  std::vector<Point> points = expand(spec);
  Site site;
  site.cores_per_node = 2;
  estimate_times(spec, points, site, "nowhere");
  const double shared_s = points[0].estimate_s;
  site.scheduler = "slurm";
  estimate_times(spec, points, site, "nowhere");
  EXPECT_NEAR((shared_s - 1.0) / (points[0].estimate_s - 1.0), 4.0, 1e-9);
}

}  // namespace
}  // namespace lockstep::sweep
