// SPDX-License-Identifier: BSD-3-Clause
// The epoch's numbers: reduced over ranks, or gathered from them.
#include "train/run_log.hpp"

#include <algorithm>
#include <array>
#include <limits>
#include <utility>

namespace lockstep::train {
namespace {

constexpr double not_measured = std::numeric_limits<double>::quiet_NaN();

constexpr std::array<const char*, phase_count> phase_descriptions = {
    "drawing the sample order, gathering batches",
    "forward and backward passes",
    "transfer and reduction of exchanged arrays",
    "waiting for the slowest rank before an exchange",
    "parameter updates",
    "evaluation on the test set (off the training clock)",
    "writing of the run file and checkpoints (off the training clock)"};

record::Series& find_or_add(record::RunRecord& record, const record::Series& like) {
  for (record::Series& series : record.series)
    if (series.group == like.group && series.name == like.name) return series;
  record::Series& added = record.series.emplace_back(like);
  added.values.clear();
  return added;
}

// Each of `seen` has one value, this rank's. Those of the whole run (ranks == 0) are rank 0's. Collective.
void append_all(const comm::Communicator& ranks, const std::vector<record::Series>& seen,
                record::RunRecord& record) {
  std::vector<double> mine;
  for (const record::Series& series : seen) mine.push_back(series.values.front());
  const std::vector<double> all = ranks.gather(mine);  // [rank, series] on rank 0
  if (!ranks.is_root()) return;
  for (std::size_t i = 0; i < seen.size(); ++i) {
    std::vector<double> values{mine[i]};
    for (std::size_t rank = 1; rank < seen[i].ranks; ++rank) values.push_back(all[rank * seen.size() + i]);
    find_or_add(record, seen[i]).append(values);
  }
}

}  // namespace

double training_seconds(const PhaseSeconds& phases) {
  double total = 0.0;
  for (std::size_t phase = 0; phase < phase_count; ++phase)
    if (on_training_clock(static_cast<Phase>(phase))) total += phases[phase];
  return total;
}

record::EpochSummary append_epoch(const comm::Communicator& ranks, const EpochOfRank& mine,
                                  record::RunRecord& record) {
  std::array<double, 2> sums{mine.stats.loss_sum, static_cast<double>(mine.stats.samples)};
  ranks.sum(sums);
  const double train_s = training_seconds(mine.phases);
  std::array<double, 2> slowest{train_s, mine.wall_clock_s};
  ranks.max(slowest);
  record::EpochSummary epoch{.epoch = record.epochs() + 1,
                             .train_loss = sums[0] / sums[1],
                             .epoch_s = slowest[0],
                             .samples = sums[1]};
  if (mine.tested) epoch.test_accuracy = mine.tested->accuracy;

  std::vector<record::Series> seen;
  const auto add = [&](std::string name, std::string unit, std::string description, double value) {
    seen.push_back({"epochs", std::move(name), std::move(unit), std::move(description), 0, {value}});
  };
  add("train_loss", "1", "mean loss over the samples trained, as they were trained", epoch.train_loss);
  add("test_loss", "1", "mean loss on the test set", mine.tested ? mine.tested->loss : not_measured);
  add("test_accuracy", "1", "share of the test set that is classified rightly", epoch.test_accuracy);
  add("learning_rate", "1", "learning rate of the last step", mine.stats.learning_rate);
  add("epoch_s", "s", "training time of the slowest rank", epoch.epoch_s);
  add("train_clock_s", "s", "training time since the start, slowest rank of each epoch",
      record.train_clock_s() + epoch.epoch_s);
  add("wall_clock_s", "s", "wall time since the first step, with evaluation and checkpoints", slowest[1]);
  add("samples", "samples", "samples trained by all ranks", epoch.samples);
  add("steps", "steps", "steps of each rank", static_cast<double>(mine.stats.steps));
  const auto add_per_rank = [&](std::string name, std::string unit, std::string description, double value) {
    add(std::move(name), std::move(unit), std::move(description), value);
    seen.back().ranks = ranks.size();
  };
  add_per_rank("train_s", "s", "training time: data, compute, exchange, wait and update", train_s);
  add_per_rank("rank_samples", "samples", "samples trained by the rank",
               static_cast<double>(mine.stats.samples));
  if (mine.own_accuracy)
    add_per_rank("rank_test_accuracy", "1",
                 "test accuracy of the rank's own model, before an average at the epoch's end",
                 *mine.own_accuracy);
  for (std::size_t phase = 0; phase < phase_count; ++phase)
    add_per_rank(std::string(phase_names[phase]) + "_s", "s", phase_descriptions[phase], mine.phases[phase]);
  for (const algorithms::Observation& one : mine.observations)
    seen.push_back(
        {"exchange", one.name, one.unit, one.description, one.per_rank ? ranks.size() : 0, {one.value}});
  std::ranges::stable_partition(seen, [](const record::Series& series) { return series.ranks == 0; });
  append_all(ranks, seen, record);
  return epoch;
}

}  // namespace lockstep::train
