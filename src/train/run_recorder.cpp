// SPDX-License-Identifier: BSD-3-Clause
// The record of a run, from its first segment to its end.
#include "train/run_recorder.hpp"

#include <algorithm>
#include <cstdio>
#include <ctime>
#include <vector>

#include <fmt/chrono.h>
#include <fmt/format.h>
#include <unistd.h>

#include "core/names.hpp"
#include "record/checkpoint.hpp"
#include "record/provenance.hpp"
#include "train/failure.hpp"
#include "train/resume.hpp"

namespace lockstep::train {
namespace {

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
               config_.run.training.batch_size, parameter_count, file_->path().string());
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
  const record::EpochSummary epoch = append_epoch(ranks_, mine, record_);
  if (progress_) progress_->epoch_done(epoch);
  return epoch;
}

void RunRecorder::snapshot() {
  if (!file_) return;
  const std::string failure = failure_of([&] { file_->snapshot(record_); });
  if (!failure.empty()) fmt::print(stderr, "warning: the run file could not be updated: {}\n", failure);
}

std::string RunRecorder::save() {
  std::string failure = file_ ? failure_of([&] { file_->save(record_); }) : "";
  ranks_.broadcast(failure);
  return failure;
}

void RunRecorder::close(const char* status, const Json& closing) {
  if (!ranks_.is_root()) return;
  record_.provenance.update(closing);
  if (progress_) progress_->finished();
  file_->finish(record_, status);
}

}  // namespace lockstep::train
