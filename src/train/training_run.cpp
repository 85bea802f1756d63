// SPDX-License-Identifier: BSD-3-Clause
// The way through the epochs, and the ways in which it ends.
#include <algorithm>
#include <cmath>
#include <cstdio>

#include <fmt/format.h>

#include "core/error.hpp"
#include "core/json.hpp"
#include "core/sha256.hpp"
#include "record/checkpoint.hpp"
#include "train/run_provenance.hpp"
#include "train/stop_signal.hpp"
#include "train/training.hpp"

namespace lockstep::train {
namespace {

constexpr int diverged = 3;
constexpr int interrupted = 75;  // EX_TEMPFAIL: try again later

}  // namespace

void Training::show(const algorithms::StepReport& step) {
  epoch_steps_ = step.step;
  steps_an_epoch_ = step.steps;
  if (!ranks_.is_root()) return;
  if (!progress_) progress_.emplace(stdout, style_, config_.run.training.epochs, step.steps);
  progress_->step({.epoch = epoch_ + 1,
                   .step = step.step,
                   .samples = static_cast<double>(step.samples * ranks_.size()),
                   .loss = step.loss_sum / static_cast<double>(std::max<std::size_t>(step.samples, 1))});
}

// The time for a checkpoint is told by rank 0's clock alone.
bool Training::pauses_here() {
  if (!check_in_.due()) return false;
  const double period_s = 60.0 * settings_.checkpoint_minutes;
  agreed_ = check_in_.exchange(
      {.stop = stop_signal() != nullptr,
       .checkpoint = ranks_.is_root() && period_s > 0.0 && now_s() - last_checkpoint_s_ >= period_s},
      phases_);
  return agreed_.any();
}

TestResult Training::evaluate() {
  config_.algorithm->export_parameters(exported_);
  const std::span<float> trained = model_.parameters();
  model_.bind(exported_, layer_state_);
  const TestResult result = evaluator_.evaluate(ranks_, model_);
  model_.bind(trained, layer_state_);
  return result;
}

// The ranks leave it together: who has evaluated more slowly keeps nobody waiting on the training clock.
void Training::evaluate_own() {
  if (!alone_) return;
  phases_.enter(Phase::evaluate);
  own_accuracy_ = evaluator_.evaluate(*alone_, model_).accuracy;
  ranks_.barrier();
  phases_.enter(Phase::update);
}

EpochOfRun Training::finish_epoch(const algorithms::EpochStats& stats) {
  EpochOfRank mine{.stats = stats,
                   .phases = {},
                   .wall_clock_s = 0.0,
                   .tested = {},
                   .own_accuracy = {},
                   .observations = config_.algorithm->observations()};
  phases_.enter(Phase::evaluate);
  if (config_.run.eval_acc) mine.tested = evaluate();
  if (alone_) mine.own_accuracy = own_accuracy_;
  mine.phases = phases_.stop();
  mine.wall_clock_s = now_s() - first_step_s_;
  const EpochOfRun run = log_.append(mine);
  if (progress_)
    progress_->epoch_done({.epoch = epoch_ + 1,
                           .train_loss = run.train_loss,
                           .test_accuracy = mine.tested ? mine.tested->accuracy : std::nan(""),
                           .epoch_s = run.epoch_s,
                           .samples = run.samples});
  ++epoch_;
  epoch_steps_ = 0;
  return run;
}

int Training::run() {
  ranks_.barrier();
  last_checkpoint_s_ = now_s();
  first_step_s_ = last_checkpoint_s_ - wall_clock_s_;
  record_.provenance["startup_s"] = last_checkpoint_s_ - settings_.start_s;
  phases_.restart(Phase::data, so_far_);
  while (epoch_ < config_.run.training.epochs) {
    if (epoch_steps_ == 0) {
      ranks_.barrier();
      so_far_ = {};
      so_far_[static_cast<std::size_t>(Phase::checkpoint)] = checkpoint_s_;
      phases_.restart(Phase::data, so_far_);
    }
    const algorithms::EpochStats stats = config_.algorithm->run_epoch(epoch_);
    if (stats.paused) {
      phases_.enter(Phase::checkpoint);
      if (agreed_.stop) return end_interrupted();
      save_and_go_on();
      continue;
    }
    const EpochOfRun epoch = finish_epoch(stats);
    if (!std::isfinite(epoch.train_loss)) return end_diverged(epoch.train_loss);
    write_after_epoch();
  }
  return end_complete();
}

void Training::close_record(const char* status) {
  const Json memory = memory_provenance(ranks_);
  if (!ranks_.is_root()) return;
  record_.provenance.update(memory);
  if (progress_) progress_->finished();
  file_->finish(record_, status);
}

int Training::end_complete() {
  config_.algorithm->export_parameters(exported_);
  record_.provenance["parameters_sha256"] = sha256(std::as_bytes(std::span(exported_)));
  close_record("complete");
  if (ranks_.is_root()) record::remove_checkpoints(file_->path());
  return 0;
}

int Training::end_diverged(double loss) {
  close_record("failed");
  if (ranks_.is_root())
    fmt::print(
        stderr,
        "error: the training diverged\n  expected: a finite loss\n  got:      {}\n"
        "  hint:     a smaller --learning-rate, or --gradient mean; the epochs so far are in the run file\n",
        loss);
  return diverged;
}

int Training::end_interrupted() {
  std::string failure;
  try {
    close_record("interrupted");
  } catch (const Error& error) {  // a full disk: an older checkpoint may still be good
    failure = error.what();
  }
  ranks_.broadcast(failure);
  if (failure.empty()) failure = save();
  if (!ranks_.is_root()) return interrupted;
  const std::string where =
      fmt::format("interrupted in epoch {}, after step {} of {}", epoch_ + 1, epoch_steps_, steps_an_epoch_);
  const std::string how = fmt::format("the same command with --resume --run-id {}", record_.run_id);
  if (failure.empty())
    fmt::print(stderr, "{}: all work is saved in {}; go on with {}\n", where,
               record::checkpoint_path(file_->path()).string(), how);
  else
    fmt::print(stderr,
               "{}: the work since the last checkpoint is lost, since none could be written: {}\n"
               "go on from the last one with {}\n",
               where, failure, how);
  return interrupted;
}

}  // namespace lockstep::train
