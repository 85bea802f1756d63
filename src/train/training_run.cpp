// SPDX-License-Identifier: BSD-3-Clause
// The loop over the epochs, and the ways in which it ends.
#include <algorithm>
#include <cstdio>
#include <limits>
#include <optional>

#include <fmt/format.h>

#include "comm/same_bits.hpp"
#include "core/build_info.hpp"
#include "core/host.hpp"
#include "core/json.hpp"
#include "core/platform.hpp"
#include "core/sha256.hpp"
#include "core/text.hpp"
#include "math/finite.hpp"
#include "record/checkpoint.hpp"
#include "train/failure.hpp"
#include "train/model_io.hpp"
#include "train/run_provenance.hpp"
#include "train/training.hpp"

namespace lockstep::train {
namespace {

constexpr int failed = 1;
constexpr int diverged = 3;
constexpr int interrupted = 75;  // EX_TEMPFAIL: try again later

}  // namespace

bool Training::step_done(const algorithms::StepReport& step) {
  position_.step = step.step;
  position_.steps = step.steps;
  watchdog_.publish(position_.epoch, position_.step);
  recorder_.show(position_, step);
  return checkpointer_.pauses_here(config_.algorithm->trouble() != nullptr);
}

void Training::finish_epoch(const algorithms::EpochStats& stats) {
  EpochOfRank mine;
  mine.stats = stats;
  mine.own_accuracy = evaluator_.own_accuracy();
  mine.observations = config_.algorithm->observations();
  parts_.phases().enter(Phase::evaluate);
  if (config_.run.eval_acc) {
    const TestResult found = evaluator_.evaluate(*config_.algorithm);
    if (platform().computes) mine.tested = found;  // else it has taken its time, and means nothing
  }
  mine.phases = clock_.end_epoch();
  mine.wall_clock_s = clock_.wall_clock_s();
  ++position_.epoch;
  position_.step = 0;
  watchdog_.publish(position_.epoch, 0);
  parts_.phases().meet_others();
  mine.step_times = step_times_.summary();
  recorder_.append(mine);
}

int Training::run() {
  const int exit_status = train();
  tracer_.write({{"program", "Lockstep " + std::string(build_info::version)},
                 {"run_id", recorder_.record().run_id},
                 {"algorithm", config_.run.algorithm},
                 {"ranks", ranks_.size()}},
                settings_.launch.progress == "off");
  return exit_status;
}

int Training::train() {
  const std::size_t epochs = config_.run.training.epochs;
  ranks_.barrier();
  tracer_.start();
  checkpointer_.start();
  recorder_.record().provenance["startup_s"] = now_s() - settings_.start_s;
  if (platform().wait_for_start != nullptr) platform().wait_for_start();
  clock_.start();
  if (position_.step > 0) clock_.resume_epoch(position_.epoch + 1);
  while (position_.epoch < epochs) {
    if (position_.step == 0) {
      parts_.phases().meet_others();
      ranks_.barrier();
      step_times_.begin_epoch();
      clock_.begin_epoch(position_.epoch + 1, checkpointer_.written_s());
    }
    const algorithms::EpochStats stats = config_.algorithm->run_epoch(position_.epoch);
    if (stats.paused) {
      parts_.phases().enter(Phase::checkpoint);
      if (has_diverged()) return end_diverged();
      if (checkpointer_.agreed().stop) return end_interrupted();
      checkpointer_.save_and_continue();
      continue;
    }
    finish_epoch(stats);
    if (has_diverged()) return end_diverged();
    if (const auto different = ranks_that_differ(); !different.empty()) return end_disagreed(different);
    checkpointer_.write_after_epoch(epochs);
  }
  return end_complete();
}

std::vector<std::size_t> Training::ranks_that_differ() {
  if (ranks_.size() == 1 || !config_.algorithm->capabilities().one_model) return {};
  parts_.phases().meet_others();
  return comm::ranks_that_differ(ranks_, parts_.model().parameters());
}

int Training::end_disagreed(const std::vector<std::size_t>& different) {
  const auto hosts = ranks_.gather(host_name());
  recorder_.close("failed", memory_provenance(ranks_));
  if (!ranks_.is_root()) return failed;
  std::string lines;
  for (const std::size_t rank : different)
    lines += fmt::format("  rank {} on {} has others\n", rank, hosts[rank]);
  fmt::print(
      stderr,
      "error: the ranks' parameters differ after epoch {}, where all should have the same bits\n{}"
      "  hint:     a memory, processor or network of theirs may be at fault; their epochs are not to be "
      "trusted\n",
      position_.epoch, lines);
  return failed;
}

int Training::end_complete() {
  Json closing = memory_provenance(ranks_);
  if (platform().computes) {
    const std::span<const float> model = evaluator_.exported(*config_.algorithm);
    closing["parameters_sha256"] = sha256(std::as_bytes(model));
    if (const std::string& to = settings_.launch.save_model; !to.empty() && ranks_.is_root())
      save_model(parts_.model(), model, config_.model_description,
                 {{"run_id", recorder_.record().run_id},
                  {"dataset", config_.run.data.dataset},
                  {"parameters_sha256", closing["parameters_sha256"]}},
                 to);
  }
  recorder_.close("complete", closing);
  if (ranks_.is_root()) record::remove_checkpoints(recorder_.path());
  return 0;
}

bool Training::has_diverged() {
  const bool mine = config_.algorithm->trouble() != nullptr || !math::all_finite(parts_.model().parameters());
  return ranks_.max(mine ? 1.0 : 0.0) > 0.0;
}

int Training::end_diverged() {
  using algorithms::Trouble;
  const nn::Model& model = parts_.model();
  std::optional<Trouble> mine;
  if (const Trouble* const trouble = config_.algorithm->trouble())
    mine = *trouble;
  else if (const std::string bad = algorithms::non_finite_tensors(model, model.parameters()); !bad.empty())
    mine = Trouble{
        .epoch = position_.epoch, .step = position_.step, .what = "its parameters are not finite in " + bad};
  // The ranks that saw it first: others may have what these sent them.
  const auto order = [](const Trouble& t) { return 1e9 * t.epoch + static_cast<double>(t.step); };
  const double never = std::numeric_limits<double>::max();
  const double first = -ranks_.max(mine ? -order(*mine) : -never);
  const bool is_first = mine && order(*mine) == first;
  const auto seen = ranks_.gather(is_first ? fmt::format("on {} in epoch {}, step {}: {}", host_name(),
                                                         mine->epoch + 1, mine->step, mine->what)
                                           : "");
  Json closing = memory_provenance(ranks_);
  std::string lines;
  constexpr std::ptrdiff_t most_lines = 8;
  for (std::size_t rank = 0; rank < seen.size(); ++rank) {
    if (seen[rank].empty() || std::ranges::count(lines, '\n') >= most_lines) continue;
    lines += fmt::format("  rank {} {}\n", rank, seen[rank]);
  }
  closing["diverged"] = lines;
  recorder_.close("failed", closing);
  if (ranks_.is_root())
    fmt::print(
        stderr,
        "error: the training diverged\n{}"
        "  hint:     a smaller --learning-rate, or --gradient mean; the epochs so far are in the run file\n",
        lines);
  return diverged;
}

int Training::end_interrupted() {
  const Json closing = memory_provenance(ranks_);
  // The checkpoint has a copy of the run file, so it is of use alone.
  const std::string run_file_failure = failure_of([&] { recorder_.close("interrupted", closing); });
  const std::string failure = checkpointer_.save();
  if (!ranks_.is_root()) return interrupted;
  if (!run_file_failure.empty())
    fmt::print(stderr, "warning: the run file could not be updated: {}\n", run_file_failure);
  const std::string where = fmt::format("interrupted in epoch {}, after step {} of {}", position_.epoch + 1,
                                        position_.step, position_.steps);
  const std::string how =
      fmt::format("the same command with --resume --run-id {}", recorder_.record().run_id);
  if (failure.empty())
    fmt::print(stderr, "{}: all work is saved in {}; continue with {}\n", where,
               visible(record::checkpoint_path(recorder_.path()).string()), how);
  else if (record::has_checkpoint(recorder_.path()))
    fmt::print(stderr,
               "{}: the work since the last checkpoint is lost, because no new one could be written: {}\n"
               "continue from the last one with {}\n",
               where, failure, how);
  else
    fmt::print(stderr,
               "{}: the parameters are lost, because no checkpoint could be written: {}\n"
               "the epochs so far are in the run file; start anew with {}\n",
               where, failure, how);
  return interrupted;
}

}  // namespace lockstep::train
