// SPDX-License-Identifier: BSD-3-Clause
// How many repeats are enough.
#include "sweep/spec/until.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <map>
#include <numbers>
#include <string>

#include "core/names.hpp"
#include "record/run_file.hpp"

namespace lockstep::sweep {
namespace {

double last(std::span<const double> epochs) { return epochs.back(); }

double median_of(std::span<const double> epochs) { return median({epochs.begin(), epochs.end()}); }

constexpr std::array metric_table = {
    MetricRow{"epoch_s", "training time of an epoch: the median over the run's epochs", median_of},
    MetricRow{"train_clock_s", "training time of the run", last},
    MetricRow{"wall_clock_s", "wall time of the run", last},
    MetricRow{"train_loss", "after the last epoch", last},
    MetricRow{"test_loss", "after the last epoch", last},
    MetricRow{"test_accuracy", "after the last epoch", last},
};

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

struct Group {
  const Point* first = nullptr;
  std::size_t next_repeat = 0;  // and so the number of those made
  std::vector<double> values;
};

}  // namespace

double median(std::vector<double> values) {
  std::ranges::sort(values);
  const std::size_t half = values.size() / 2;
  return values.size() % 2 == 1 ? values[half] : 0.5 * (values[half - 1] + values[half]);
}

std::span<const MetricRow> metrics() { return metric_table; }

std::optional<double> metric_of(const record::RunRecord& run, std::string_view metric) {
  const MetricRow& row = find_row(metrics(), "metric", metric);
  for (const record::Series& series : run.series) {
    if (series.group != "epochs" || series.name != metric || series.values.empty()) continue;
    const double value = row.of_run(series.values);
    if (std::isfinite(value)) return value;
  }
  return {};
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
  std::map<std::string, Group> groups;
  std::vector<Group*> in_order;
  for (const Point& point : made) {
    const auto [at, is_new] = groups.try_emplace(repeat_group(point));
    Group& group = at->second;
    if (is_new) {
      group.first = &point;
      in_order.push_back(&group);
    }
    group.next_repeat = std::max(group.next_repeat, point.repeat + 1);
    const auto path = folder / (point.run_id + ".h5");
    if (!std::filesystem::exists(path)) continue;
    const record::RunRecord run = record::read_run_file(path);
    if (run.status != "complete") continue;
    if (const auto value = metric_of(run, spec.until.metric)) group.values.push_back(*value);
  }
  for (const Group* group : in_order)
    if (group->next_repeat < spec.until.at_most && !is_precise(group->values, spec.until.ci))
      more.push_back(with_repeat(spec, *group->first, group->next_repeat));
  return more;
}

}  // namespace lockstep::sweep
