// SPDX-License-Identifier: BSD-3-Clause
// How many repeats are enough: until the 95% interval of a metric's median is narrow.
#pragma once

#include <filesystem>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "record/run_record.hpp"
#include "sweep/spec/spec.hpp"

namespace lockstep::sweep {

/// What a run's file says of it in one number.
struct MetricRow {
  std::string_view name;  ///< of a series of /epochs
  std::string_view help;
  double (*of_run)(std::span<const double> epochs);
};

[[nodiscard]] std::span<const MetricRow> metrics();

/// The number of one run; none if it has no such series or no finite value. Throws ConfigError for an unknown
/// metric.
[[nodiscard]] std::optional<double> metric_of(const record::RunRecord& run, std::string_view metric);

/// The fewest values that give a 95% interval of the median: that of the smallest and the largest of n misses
/// it with the probability 2 / 2^n.
inline constexpr std::size_t fewest_for_interval = 6;

/// Of one value at least.
[[nodiscard]] double median(std::vector<double> values);

/// A median with its interval.
struct Median {
  double value = 0.0, low = 0.0, high = 0.0;
};

/// The median of the values, and the narrowest interval between the k-th smallest and the k-th largest of
/// them that holds the median of what they are drawn from with a probability of 95% at least, whatever the
/// distribution: 1 - 2 P(Binomial(n, 1/2) < k). None for fewer than six values.
[[nodiscard]] std::optional<Median> median_interval(std::vector<double> values);

/// True when half the interval is at most `ci` times the median; false for fewer than six values.
[[nodiscard]] bool is_precise(std::span<const double> values, double ci);

/// One more repeat for each point of `made` whose metric is not known well enough from its complete runs in
/// `folder` (the sweep's own), and which has not at_most of them yet. Nothing without `until`. Runs that have
/// no value (failed, diverged, not made yet) count towards at_most. It depends on its arguments and the files
/// alone: after an interruption, begin with expand(spec) and call it after each round again.
[[nodiscard]] std::vector<Point> more_repeats(const Spec& spec, const std::vector<Point>& made,
                                              const std::filesystem::path& folder);

}  // namespace lockstep::sweep
