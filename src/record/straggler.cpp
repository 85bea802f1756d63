// SPDX-License-Identifier: BSD-3-Clause
// Waiting times, rank by rank.
#include "record/straggler.hpp"

#include <algorithm>
#include <numeric>
#include <string_view>
#include <vector>

#include <fmt/format.h>

namespace lockstep::record {
namespace {

constexpr double worth_a_word = 0.05;  // of the training time
constexpr double clearly = 0.5;

// The sum over all epochs of a series, [rank]; empty if there is none.
std::vector<double> sums_of(const RunRecord& record, std::string_view name) {
  const auto found = std::ranges::find_if(
      record.series, [&](const Series& series) { return series.group == "epochs" && series.name == name; });
  if (found == record.series.end() || found->ranks == 0) return {};
  std::vector<double> sums(found->ranks);
  for (std::size_t i = 0; i < found->values.size(); ++i) sums[i % found->ranks] += found->values[i];
  return sums;
}

}  // namespace

std::optional<Straggler> straggler(const RunRecord& record) {
  const std::vector<double> wait_s = sums_of(record, "wait_s"), train_s = sums_of(record, "train_s");
  const std::size_t ranks = wait_s.size();
  if (ranks < 2 || train_s.size() != ranks) return std::nullopt;
  const auto slowest = std::ranges::min_element(wait_s);
  const auto mean_of_others = [&](const std::vector<double>& of) {
    const double own = of[static_cast<std::size_t>(slowest - wait_s.begin())];
    return (std::accumulate(of.begin(), of.end(), 0.0) - own) / static_cast<double>(ranks - 1);
  };
  const double waited_s = mean_of_others(wait_s);
  const double share = waited_s / mean_of_others(train_s);
  if (!(share >= worth_a_word) || *slowest > clearly * waited_s) return std::nullopt;
  Straggler found{.rank = static_cast<std::size_t>(slowest - wait_s.begin()),
                  .host = "?",
                  .wait_s = waited_s,
                  .wait_share = share};
  if (const Json hosts = record.provenance.value("hosts", Json::array()); hosts.size() == ranks)
    found.host = hosts.at(found.rank).get<std::string>();
  return found;
}

std::string to_text(const Straggler& straggler) {
  return fmt::format(
      "rank {} on {} was the slowest: the other ranks waited {:.0f}% of their time for it ({:.3g} s each)",
      straggler.rank, straggler.host, 100.0 * straggler.wait_share, straggler.wait_s);
}

}  // namespace lockstep::record
