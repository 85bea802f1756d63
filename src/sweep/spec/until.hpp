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

/// What `until` can wait for: names of series of /epochs.
[[nodiscard]] std::vector<std::string> metric_names();

/// A run in one number: the median over the epochs for epoch_s, the last value for other metrics. None if
/// the run has no such series or no finite value. Throws ConfigError for an unknown metric.
[[nodiscard]] std::optional<double> metric_of(const record::RunRecord& run, std::string_view metric);
/// The same of a run file; none unless it is there and complete.
[[nodiscard]] std::optional<double> metric_of_complete(const std::filesystem::path& run_file,
                                                       std::string_view metric);

/// The fewest values with a 95% interval of the median: the one from the smallest to the largest of n misses
/// it with probability 2 / 2^n.
inline constexpr std::size_t fewest_for_interval = 6;

/// Of at least one value.
[[nodiscard]] double median(std::vector<double> values);

/// A median with its interval.
struct Median {
  double value = 0.0, low = 0.0, high = 0.0;
};

/// The median of the values, and its 95% interval by order statistics: from the k-th smallest to the k-th
/// largest, with the largest k for which 1 - 2 P(Binomial(n, 1/2) < k) is at least 95%. It holds for every
/// distribution. None for fewer than six values.
[[nodiscard]] std::optional<Median> median_interval(std::vector<double> values);

/// True when half the interval is at most `ci` times the median; false for fewer than six values.
[[nodiscard]] bool is_precise(std::span<const double> values, double ci);

/// One more repeat for each point of `made` that has fewer than at_most, and whose metric is not precise
/// enough by its complete runs in `folder` (the sweep's own). None without `until`. Runs without a value
/// (failed, diverged, not made yet) count towards at_most. The result depends on the arguments and the files
/// alone: after an interruption, start with expand(spec) and call it again after each round.
[[nodiscard]] std::vector<Point> more_repeats(const Spec& spec, const std::vector<Point>& made,
                                              const std::filesystem::path& folder);

}  // namespace lockstep::sweep
