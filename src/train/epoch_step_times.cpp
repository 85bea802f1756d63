// SPDX-License-Identifier: BSD-3-Clause
// Sums of histograms over ranks and processes.
#include "train/epoch_step_times.hpp"

#include <algorithm>
#include <array>
#include <cstdint>
#include <limits>
#include <span>
#include <vector>

#include "core/json.hpp"
#include "core/json_text.hpp"

namespace lockstep::train {

// Only the buckets that some rank uses are summed.
EpochStepTimes::OfRanks EpochStepTimes::all() const {
  const StepTimes& mine = phases_.step_times();
  const std::vector<std::uint64_t>& counts = mine.counts();
  const auto is_used = [](std::uint64_t count) { return count > 0; };
  const auto first = std::ranges::find_if(counts, is_used) - counts.begin();
  const auto last = std::find_if(counts.rbegin(), counts.rend(), is_used).base() - counts.begin();
  std::array<double, 3> extremes{-static_cast<double>(first), static_cast<double>(last), mine.largest_s()};
  ranks_.max(extremes);
  const auto begin = static_cast<std::size_t>(-extremes[0]), end = static_cast<std::size_t>(extremes[1]);
  const double largest_s = extremes[2];
  const bool is_slowest = mine.largest_s() == largest_s;
  const double never = std::numeric_limits<double>::max();
  const double largest_rank = -ranks_.max(is_slowest ? -static_cast<double>(ranks_.rank()) : -never);
  std::vector<double> sums;
  for (std::size_t bucket = begin; bucket < end; ++bucket)
    sums.push_back(static_cast<double>(counts[bucket]));
  ranks_.sum(sums);

  OfRanks all = earlier_.value_or(OfRanks{});
  if (largest_s > all.times.largest_s()) all.largest_rank = static_cast<std::size_t>(largest_rank);
  all.times.note_largest(largest_s);
  for (std::size_t i = 0; i < sums.size(); ++i) all.times.add(begin + i, static_cast<std::uint64_t>(sums[i]));
  return all;
}

StepTimeSummary EpochStepTimes::summary() const {
  const OfRanks of_ranks = all();
  return {.p50_s = of_ranks.times.quantile_s(0.50),
          .p95_s = of_ranks.times.quantile_s(0.95),
          .p99_s = of_ranks.times.quantile_s(0.99),
          .largest_s = of_ranks.times.largest_s(),
          .largest_rank = of_ranks.largest_rank};
}

Json EpochStepTimes::to_json() const {
  const OfRanks of_ranks = all();
  Json buckets = Json::array();
  const std::vector<std::uint64_t>& counts = of_ranks.times.counts();
  for (std::size_t bucket = 0; bucket < counts.size(); ++bucket)
    if (counts[bucket] > 0) buckets.push_back(Json::array({bucket, counts[bucket]}));
  return {{"buckets", buckets},
          {"largest_s", of_ranks.times.largest_s()},
          {"largest_rank", of_ranks.largest_rank}};
}

std::optional<EpochStepTimes::OfRanks> EpochStepTimes::read(const Json& about) {
  const Json found = about.value("step_times", Json());
  if (found.is_null()) return std::nullopt;
  OfRanks earlier;
  for (const Json& bucket : found.at("buckets"))
    earlier.times.add(count_of(bucket.at(0)), count_of(bucket.at(1)));
  earlier.times.note_largest(found.at("largest_s").get<double>());
  earlier.largest_rank = count_of(found.at("largest_rank"));
  return earlier;
}

}  // namespace lockstep::train
