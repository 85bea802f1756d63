// SPDX-License-Identifier: BSD-3-Clause
// The loop over the epochs, and the ways in which it ends.
#include <cmath>
#include <cstdio>

#include <fmt/format.h>

#include "core/error.hpp"
#include "core/json.hpp"
#include "core/sha256.hpp"
#include "record/checkpoint.hpp"
#include "train/failure.hpp"
#include "train/model_io.hpp"
#include "train/run_provenance.hpp"
#include "train/training.hpp"

namespace lockstep::train {
namespace {

constexpr int diverged = 3;
constexpr int interrupted = 75;  // EX_TEMPFAIL: try again later

}  // namespace

bool Training::step_done(const algorithms::StepReport& step) {
  position_.step = step.step;
  position_.steps = step.steps;
  recorder_.show(position_, step);
  return checkpointer_.pauses_here();
}

record::EpochSummary Training::finish_epoch(const algorithms::EpochStats& stats) {
  EpochOfRank mine;
  mine.stats = stats;
  mine.own_accuracy = evaluator_.own_accuracy();
  mine.observations = config_.algorithm->observations();
  parts_.phases().enter(Phase::evaluate);
  if (config_.run.eval_acc) mine.tested = evaluator_.evaluate(*config_.algorithm);
  mine.phases = clock_.end_epoch();
  mine.wall_clock_s = clock_.wall_clock_s();
  ++position_.epoch;
  position_.step = 0;
  return recorder_.append(mine);
}

int Training::run() {
  const std::size_t epochs = config_.run.training.epochs;
  ranks_.barrier();
  checkpointer_.start();
  recorder_.record().provenance["startup_s"] = now_s() - settings_.start_s;
  clock_.start();
  while (position_.epoch < epochs) {
    if (position_.step == 0) {
      ranks_.barrier();
      clock_.begin_epoch(checkpointer_.written_s());
    }
    const algorithms::EpochStats stats = config_.algorithm->run_epoch(position_.epoch);
    if (stats.paused) {
      parts_.phases().enter(Phase::checkpoint);
      if (checkpointer_.agreed().stop) return end_interrupted();
      checkpointer_.save_and_continue();
      continue;
    }
    const record::EpochSummary epoch = finish_epoch(stats);
    if (!std::isfinite(epoch.train_loss)) return end_diverged(epoch.train_loss);
    checkpointer_.write_after_epoch(epochs);
  }
  return end_complete();
}

int Training::end_complete() {
  Json closing = memory_provenance(ranks_);
  const std::span<const float> model = evaluator_.exported(*config_.algorithm);
  closing["parameters_sha256"] = sha256(std::as_bytes(model));
  if (const std::string& to = settings_.launch.save_model; !to.empty() && ranks_.is_root())
    save_model(parts_.model(), model, config_.model_description,
               {{"run_id", recorder_.record().run_id},
                {"dataset", config_.run.data.dataset},
                {"parameters_sha256", closing["parameters_sha256"]}},
               to);
  recorder_.close("complete", closing);
  if (ranks_.is_root()) record::remove_checkpoints(recorder_.path());
  return 0;
}

int Training::end_diverged(double loss) {
  recorder_.close("failed", memory_provenance(ranks_));
  if (!ranks_.is_root()) return diverged;
  const Error error({"the training diverged", "a finite loss", fmt::format("{}", loss),
                     "a smaller --learning-rate, or --gradient mean; the epochs so far are in the run file"});
  fmt::print(stderr, "error: {}\n", error.what());
  return diverged;
}

int Training::end_interrupted() {
  const Json closing = memory_provenance(ranks_);
  // After a failure, e.g. on a full disk, an older checkpoint may still be good.
  std::string failure = failure_of([&] { recorder_.close("interrupted", closing); });
  ranks_.broadcast(failure);
  if (failure.empty()) failure = checkpointer_.save();
  if (!ranks_.is_root()) return interrupted;
  const std::string where = fmt::format("interrupted in epoch {}, after step {} of {}", position_.epoch + 1,
                                        position_.step, position_.steps);
  const std::string how =
      fmt::format("the same command with --resume --run-id {}", recorder_.record().run_id);
  if (failure.empty())
    fmt::print(stderr, "{}: all work is saved in {}; continue with {}\n", where,
               record::checkpoint_path(recorder_.path()).string(), how);
  else
    fmt::print(stderr,
               "{}: the work since the last checkpoint is lost, because no new one could be written: {}\n"
               "continue from the last one with {}\n",
               where, failure, how);
  return interrupted;
}

}  // namespace lockstep::train
