// SPDX-License-Identifier: BSD-3-Clause
// The epoch's numbers: reduced over ranks, or gathered from them.
#include "train/run_log.hpp"

#include <algorithm>
#include <array>
#include <limits>

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

}  // namespace

double training_seconds(const PhaseSeconds& phases) {
  double total = 0.0;
  for (std::size_t phase = 0; phase < phase_count; ++phase)
    if (on_training_clock(static_cast<Phase>(phase))) total += phases[phase];
  return total;
}

EpochOfRun RunLog::append(const EpochOfRank& mine) {
  std::array<double, 2> sums{mine.stats.loss_sum, static_cast<double>(mine.stats.samples)};
  ranks_.sum(sums);
  const double train_s = training_seconds(mine.phases);
  std::array<double, 2> slowest{train_s, mine.wall_clock_s};
  ranks_.max(slowest);
  const EpochOfRun run{.train_loss = sums[0] / sums[1], .samples = sums[1], .epoch_s = slowest[0]};
  train_clock_s_ += run.epoch_s;

  std::vector<Entry> of_run = {
      {"epochs", "train_loss", "1", "mean loss over the samples trained, as they were trained", false,
       run.train_loss},
      {"epochs", "test_loss", "1", "mean loss on the test set", false,
       mine.tested ? mine.tested->loss : not_measured},
      {"epochs", "test_accuracy", "1", "share of the test set that is classified rightly", false,
       mine.tested ? mine.tested->accuracy : not_measured},
      {"epochs", "learning_rate", "1", "learning rate of the last step", false, mine.stats.learning_rate},
      {"epochs", "epoch_s", "s", "training time of the slowest rank", false, run.epoch_s},
      {"epochs", "train_clock_s", "s", "training time since the start, slowest rank of each epoch", false,
       train_clock_s_},
      {"epochs", "wall_clock_s", "s", "wall time since the first step, with evaluation and checkpoints",
       false, slowest[1]},
      {"epochs", "samples", "samples", "samples trained by all ranks", false, run.samples},
      {"epochs", "steps", "steps", "steps of each rank", false, static_cast<double>(mine.stats.steps)}};
  std::vector<Entry> of_rank = {
      {"epochs", "train_s", "s", "training time: data, compute, exchange, wait and update", true, train_s},
      {"epochs", "rank_samples", "samples", "samples trained by the rank", true,
       static_cast<double>(mine.stats.samples)}};
  if (mine.own_accuracy)
    of_rank.push_back({"epochs", "rank_test_accuracy", "1",
                       "test accuracy of the rank's own model, before an average at the epoch's end", true,
                       *mine.own_accuracy});
  for (std::size_t phase = 0; phase < phase_count; ++phase)
    of_rank.push_back({"epochs", std::string(phase_names[phase]) + "_s", "s", phase_descriptions[phase], true,
                       mine.phases[phase]});
  for (const algorithms::Observation& seen : mine.observations)
    (seen.per_rank ? of_rank : of_run)
        .push_back({"exchange", seen.name, seen.unit, seen.description, seen.per_rank, seen.value});
  write(of_run, of_rank);
  return run;
}

void RunLog::write(const std::vector<Entry>& of_run, const std::vector<Entry>& of_rank) {
  std::vector<double> values;
  for (const Entry& entry : of_rank) values.push_back(entry.value);
  const std::vector<double> gathered = ranks_.gather(values);
  if (!ranks_.is_root()) return;
  for (const Entry& entry : of_run) write_entry(entry, {&entry.value, 1});
  std::vector<double> of_one(ranks_.size());
  for (std::size_t i = 0; i < of_rank.size(); ++i) {
    for (std::size_t rank = 0; rank < ranks_.size(); ++rank)
      of_one[rank] = gathered[rank * of_rank.size() + i];
    write_entry(of_rank[i], of_one);
  }
}

void RunLog::write_entry(const Entry& entry, std::span<const double> values) {
  const auto same = [&](const record::Series& s) { return s.group == entry.group && s.name == entry.name; };
  auto series = std::ranges::find_if(record_.series, same);
  if (series == record_.series.end()) {
    record_.series.push_back({.group = entry.group,
                              .name = entry.name,
                              .unit = entry.unit,
                              .description = entry.description,
                              .ranks = entry.per_rank ? ranks_.size() : 0,
                              .values = {}});
    series = record_.series.end() - 1;
  }
  series->append(values);
}

}  // namespace lockstep::train
