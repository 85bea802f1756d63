// SPDX-License-Identifier: BSD-3-Clause
// The record of a run, from its first segment to its end.
#include "train/run_recorder.hpp"

#include <algorithm>
#include <array>
#include <cstdio>
#include <ctime>
#include <limits>
#include <utility>

#include <fmt/chrono.h>
#include <fmt/format.h>
#include <unistd.h>

#include "core/names.hpp"
#include "core/platform.hpp"
#include "core/text.hpp"
#include "record/checkpoint.hpp"
#include "record/provenance.hpp"
#include "record/step_summary.hpp"
#include "record/straggler.hpp"
#include "train/failure.hpp"
#include "train/resume.hpp"
#include "train/training_clock.hpp"

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

// A series that is new in a run, because an older version began it, was not measured in the epochs before.
record::Series& find_or_add(record::RunRecord& record, const record::Series& like, std::size_t epochs) {
  for (record::Series& series : record.series)
    if (series.group == like.group && series.name == like.name) return series;
  record::Series& added = record.series.emplace_back(like);
  added.values.assign(epochs * std::max<std::size_t>(like.ranks, 1), not_measured);
  return added;
}

// Each of `seen` has one value, this rank's. Those of the whole run (ranks == 0) are rank 0's. Collective.
void append_all(const comm::Communicator& ranks, const std::vector<record::Series>& seen,
                record::RunRecord& record) {
  std::vector<double> mine;
  for (const record::Series& series : seen) mine.push_back(series.values.front());
  const std::vector<double> all = ranks.gather(mine);  // [rank, series] on rank 0
  if (!ranks.is_root()) return;
  const std::size_t epochs = record.epochs();
  for (std::size_t i = 0; i < seen.size(); ++i) {
    std::vector<double> values{mine[i]};
    for (std::size_t rank = 1; rank < seen[i].ranks; ++rank) values.push_back(all[rank * seen.size() + i]);
    find_or_add(record, seen[i], epochs).append(values);
  }
}

std::string make_run_id(const RunConfig& config, std::size_t ranks) {
  const std::time_t now = std::time(nullptr);
  return fmt::format("{}-{}-n{}-b{}-s{}-{:%Y%m%dT%H%M%SZ}-{:04x}", config.algorithm,
                     data::short_name(config.data.dataset), ranks, config.training.batch_size,
                     config.training.seed, fmt::gmtime(now), getpid() & 0xffff);
}

}  // namespace

RunRecorder::RunRecorder(const comm::Communicator& ranks, const ResolvedConfig& config,
                         const RunSettings& settings)
    : ranks_(ranks), config_(config), settings_(settings) {}

void RunRecorder::open(const Json& provenance) {
  if (!ranks_.is_root()) return;
  const ResumePoint& resume_point = settings_.resume_point;
  record_.run_id =
      settings_.launch.run_id.empty() ? make_run_id(config_.run, ranks_.size()) : settings_.launch.run_id;
  const auto path = run_file_path(settings_.launch, config_.run, record_.run_id);
  if (resume_point.reopens) {
    record_ = reopen_record(path, resume_point);
  } else {
    record_.started = record::utc_now();
    record_.config = config_.values;
    record_.model = config_.model_description;
  }
  start_segment(provenance);
  file_.emplace(path);
  file_->snapshot(record_);
  // From here on an earlier attempt that still lives ends at its next write.
  for (const auto& written : {path, record::checkpoint_path(path)}) record::remove_partial_files(written);
  if (!resume_point.has_checkpoint()) record::remove_checkpoints(path);  // unusable, of a broken attempt
  style_ = record::progress_style(settings_.launch.progress);
}

void RunRecorder::start_segment(const Json& provenance) {
  const Json init = record_.provenance.value("init_from_sha256", Json());
  record_.provenance = provenance;
  if (!init.is_null()) record_.provenance["init_from_sha256"] = init;  // known only before the first step
  const Json slurm = record::slurm_provenance();
  std::vector<std::string> hosts;
  for (const Json& host : provenance.at("hosts"))
    if (const auto name = host.get<std::string>(); std::ranges::find(hosts, name) == hosts.end())
      hosts.push_back(name);
  record_.segments.push_back({.started = record_.segments.empty() ? record_.started : record::utc_now(),
                              .finished = {},
                              .first_epoch = settings_.resume_point.epochs_done(),
                              .first_step = settings_.resume_point.epoch_steps(),
                              .job = slurm.value("slurm_job_id", std::string()),
                              .restart_count = slurm.value("slurm_restart_count", std::size_t{0}),
                              .hosts = join(hosts, ",")});
}

void RunRecorder::greet(std::size_t parameter_count, const Json& machine) const {
  if (!ranks_.is_root()) return;
  const ResumePoint& resume_point = settings_.resume_point;
  if (style_ != record::ProgressStyle::off) {
    fmt::print("{} on {}: {} rank{}, batch size {}, {} parameters -> {}\n", config_.run.algorithm,
               config_.run.data.dataset, ranks_.size(), ranks_.size() == 1 ? "" : "s",
               config_.run.training.batch_size, parameter_count, visible(file_->path().string()));
    if (resume_point.has_checkpoint())
      fmt::print("resuming after {} epochs and {} steps, from {}\n", resume_point.epochs_done(),
                 resume_point.epoch_steps(), resume_point.checkpoint);
    else if (resume_point.reopens)
      fmt::print("starting anew: the earlier attempt left no usable checkpoint\n");
    std::fflush(stdout);
  }
  if (!resume_point.has_checkpoint()) return;
  const Json& before = resume_point.about.at("machine");
  std::vector<std::string> differ;
  for (const auto& [key, value] : machine.items())
    if (before.value(key, Json()) != value) differ.push_back(key);
  if (before != machine)
    fmt::print(stderr,
               "note: the run resumes with another {}: its results may differ from an uninterrupted run's by "
               "rounding\n",
               join(differ));
}

void RunRecorder::show(const Position& position, const algorithms::StepReport& step) {
  if (!ranks_.is_root()) return;
  if (!progress_) progress_.emplace(stdout, style_, config_.run.training.epochs, position.steps);
  progress_->step({.epoch = position.epoch + 1,
                   .step = position.step,
                   .samples = static_cast<double>(step.samples * ranks_.size()),
                   .loss = step.loss_sum / static_cast<double>(std::max<std::size_t>(step.samples, 1))});
}

record::EpochSummary RunRecorder::append(const EpochOfRank& mine) {
  std::array<double, 2> sums{mine.stats.loss_sum, static_cast<double>(mine.stats.samples)};
  ranks_.sum(sums);
  const double train_s = training_seconds(mine.phases);
  std::array<double, 2> slowest{train_s, mine.wall_clock_s};
  ranks_.max(slowest);
  record::EpochSummary epoch{.epoch = record_.epochs() + 1,
                             .train_loss = platform().computes ? sums[0] / sums[1] : not_measured,
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
      record_.train_clock_s() + epoch.epoch_s);
  add("wall_clock_s", "s", "wall time since the first step, with evaluation and checkpoints", slowest[1]);
  add("samples", "samples", "samples trained by all ranks", epoch.samples);
  add("steps", "steps", "steps of each rank", static_cast<double>(mine.stats.steps));
  const StepTimeSummary& steps = mine.step_times;
  add("step_p50_s", "s", "median time of a step, over all steps and ranks", steps.p50_s);
  add("step_p95_s", "s", "time that 95% of all steps of all ranks took at most", steps.p95_s);
  add("step_p99_s", "s", "time that 99% of all steps of all ranks took at most", steps.p99_s);
  add("step_largest_s", "s", "time of the longest step of any rank", steps.largest_s);
  add("step_largest_rank", "1", "the rank of that step", static_cast<double>(steps.largest_rank));
  const auto add_per_rank = [&](std::string name, std::string unit, std::string description, double value) {
    add(std::move(name), std::move(unit), std::move(description), value);
    seen.back().ranks = ranks_.size();
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
        {"exchange", one.name, one.unit, one.description, one.per_rank ? ranks_.size() : 0, {one.value}});
  std::stable_partition(seen.begin(), seen.end(),
                        [](const record::Series& series) { return series.ranks == 0; });
  append_all(ranks_, seen, record_);
  if (progress_) progress_->epoch_done(epoch);
  return epoch;
}

void RunRecorder::report(const std::string& failure) {
  trouble_.tried(failure, "the run file cannot be updated", "the run file is up to date again");
}

void RunRecorder::snapshot() {
  if (!file_) return;
  bool written = false;
  const std::string failure = failure_of([&] { written = file_->snapshot(record_); });
  if (written || !failure.empty()) report(failure);
}

void RunRecorder::save() {
  if (file_) report(failure_of([&] { file_->save(record_); }));
}

std::vector<std::byte> RunRecorder::bytes() const {
  return file_ ? record::run_file_bytes(record_) : std::vector<std::byte>();
}

void RunRecorder::close(const char* status, const Json& closing) {
  if (!ranks_.is_root()) return;
  record_.provenance.update(closing);
  if (progress_) progress_->finished();
  if (const auto slowest = record::straggler(record_); slowest && style_ != record::ProgressStyle::off)
    fmt::print("{}\n", record::to_text(*slowest));
  if (const std::string steps = record::step_summary(record_);
      !steps.empty() && style_ != record::ProgressStyle::off)
    fmt::print("{}\n", visible(steps));
  file_->finish(record_, status);
  report("");
}

}  // namespace lockstep::train
