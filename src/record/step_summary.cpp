// SPDX-License-Identifier: BSD-3-Clause
// Reads the series of step times.
#include "record/step_summary.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <string_view>

#include <fmt/format.h>

namespace lockstep::record {
namespace {

// NaN: not measured.
double last_of(const RunRecord& record, std::string_view name) {
  const auto found = std::ranges::find_if(
      record.series, [&](const Series& series) { return series.group == "epochs" && series.name == name; });
  if (found == record.series.end() || found->values.empty()) return std::numeric_limits<double>::quiet_NaN();
  return found->values.back();
}

std::string seconds_text(double seconds) {
  if (seconds < 1e-3) return fmt::format("{:.3g} us", 1e6 * seconds);
  return seconds < 1.0 ? fmt::format("{:.3g} ms", 1e3 * seconds) : fmt::format("{:.3g} s", seconds);
}

}  // namespace

std::string step_summary(const RunRecord& record) {
  const double half_s = last_of(record, "step_p50_s"), most_s = last_of(record, "step_p99_s");
  const double longest_s = last_of(record, "step_largest_s"), rank = last_of(record, "step_largest_rank");
  if (std::isnan(half_s) || std::isnan(most_s) || std::isnan(longest_s)) return {};
  std::string text = fmt::format("steps of the last epoch: half took {} at most, 99% {}; the longest took {}",
                                 seconds_text(half_s), seconds_text(most_s), seconds_text(longest_s));
  const Json hosts = record.provenance.value("hosts", Json::array());
  if (hosts.size() > 1 && rank >= 0.0 && rank < static_cast<double>(hosts.size()))
    text += fmt::format(", on rank {} ({})", rank,
                        hosts.at(static_cast<std::size_t>(rank)).get_ref<const std::string&>());
  return text;
}

}  // namespace lockstep::record
