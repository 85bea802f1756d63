// SPDX-License-Identifier: BSD-3-Clause
// How many repeats are enough.
#include "sweep/spec/until.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <numbers>
#include <string>

#include "core/error.hpp"
#include "core/names.hpp"
#include "record/run_file.hpp"

namespace lockstep::sweep {
namespace {

double last(std::span<const double> epochs) { return epochs.back(); }

double median_of(std::span<const double> epochs) { return median({epochs.begin(), epochs.end()}); }

struct Metric {
  std::string_view name;  // of a series of /epochs
  double (*of_run)(std::span<const double> epochs);
};

constexpr std::array metric_table = {
    Metric{"epoch_s", median_of}, Metric{"train_clock_s", last}, Metric{"wall_clock_s", last},
    Metric{"train_loss", last},   Metric{"test_loss", last},     Metric{"test_accuracy", last},
};
constexpr std::span<const Metric> metrics = metric_table;

// P(Binomial(n, 1/2) = i), by logarithms: 2^-n itself is too small for large n.
double binomial_half(double n, double i) {
  return std::exp(std::lgamma(n + 1) - std::lgamma(i + 1) - std::lgamma(n - i + 1) - n * std::numbers::ln2);
}

// The largest k with P(Binomial(n, 1/2) < k) <= 2.5%; 0 where there is none.
std::size_t interval_rank(std::size_t n) {
  double below = 0.0;
  std::size_t k = 0;
  while (k < n) {
    below += binomial_half(static_cast<double>(n), static_cast<double>(k));
    if (below > 0.025) break;
    ++k;
  }
  return k;
}

}  // namespace

double median(std::vector<double> values) {
  std::ranges::sort(values);
  const std::size_t half = values.size() / 2;
  return values.size() % 2 == 1 ? values[half] : 0.5 * (values[half - 1] + values[half]);
}

std::vector<std::string> metric_names() { return names_of(metrics); }

std::optional<double> metric_of(const record::RunRecord& run, std::string_view metric) {
  const Metric& row = find_row(metrics, "metric", metric);
  const auto series = std::ranges::find_if(
      run.series, [&](const record::Series& s) { return s.group == "epochs" && s.name == metric; });
  if (series == run.series.end() || series->values.empty()) return {};
  const double value = row.of_run(series->values);
  return std::isfinite(value) ? std::optional(value) : std::nullopt;
}

std::optional<double> metric_of_complete(const std::filesystem::path& run_file, std::string_view metric) {
  if (!std::filesystem::exists(run_file)) return {};
  try {
    const record::RunRecord run = record::read_run_file(run_file);
    return run.status == "complete" ? metric_of(run, metric) : std::nullopt;
  } catch (const Error&) {  // damaged: it is made again
    return {};
  }
}

std::optional<Median> median_interval(std::vector<double> values) {
  const std::size_t k = interval_rank(values.size());
  if (k == 0) return {};
  std::ranges::sort(values);
  return Median{.value = median(values), .low = values[k - 1], .high = values[values.size() - k]};
}

bool is_precise(std::span<const double> values, double ci) {
  const auto found = median_interval({values.begin(), values.end()});
  return found && 0.5 * (found->high - found->low) <= ci * std::abs(found->value);
}

std::vector<Point> more_repeats(const Spec& spec, const std::vector<Point>& made,
                                const std::filesystem::path& folder) {
  std::vector<Point> more;
  if (spec.until.metric.empty()) return more;
  for (const std::vector<Point>& repeats : group_repeats(made)) {
    std::size_t next_repeat = 0;
    std::vector<double> values;
    for (const Point& point : repeats) {
      next_repeat = std::max(next_repeat, point.repeat + 1);
      const auto value = metric_of_complete(folder / (point.run_id + ".h5"), spec.until.metric);
      if (value) values.push_back(*value);
    }
    if (next_repeat < spec.until.at_most && !is_precise(values, spec.until.ci))
      more.push_back(with_repeat(spec, repeats.front(), next_repeat));
  }
  return more;
}

}  // namespace lockstep::sweep
