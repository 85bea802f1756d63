// SPDX-License-Identifier: BSD-3-Clause
// A training in progress: its parts, and the loop over its epochs.
#pragma once

#include "algorithms/training_parts.hpp"
#include "comm/communicator.hpp"
#include "train/checkpointer.hpp"
#include "train/epoch_step_times.hpp"
#include "train/evaluator.hpp"
#include "train/launch.hpp"
#include "train/run_config.hpp"
#include "train/run_recorder.hpp"
#include "train/shared_dataset.hpp"
#include "train/tracer.hpp"
#include "train/training_clock.hpp"
#include "watch/watchdog.hpp"

namespace lockstep::train {

/// The parts of a training, in the order in which they need each other. It begins at its first step, or at
/// the step where an earlier process left it.
class Training {
 public:
  /// `ranks` and `config` outlive it. Collective.
  Training(const comm::Communicator& ranks, ResolvedConfig& config, RunSettings settings);
  /// Trains to the end, or until a signal stops it (SIGUSR1, SIGTERM, SIGINT, SIGHUP). Returns the exit
  /// status: 0, 3 when the training diverged, or 75 when it was stopped and can be resumed. Collective.
  [[nodiscard]] int run();

 private:
  // Building (training.cpp).
  [[nodiscard]] bool resumes() const { return settings_.resume_point.has_checkpoint(); }
  [[nodiscard]] std::size_t max_batch() const;
  [[nodiscard]] std::unique_ptr<comm::Allreduce> make_allreduce(std::size_t length) const;
  void start_algorithm();
  void choose_gemms();
  [[nodiscard]] Json provenance();

  // Training (training_run.cpp).
  int train();
  bool step_done(const algorithms::StepReport& step);
  void finish_epoch(const algorithms::EpochStats& stats);
  int end_complete();
  [[nodiscard]] bool has_diverged();
  [[nodiscard]] std::vector<std::size_t> ranks_that_differ();
  int end_diverged();
  int end_disagreed(const std::vector<std::size_t>& different);
  int end_interrupted();

  const comm::Communicator& ranks_;
  comm::Communicator node_;
  ResolvedConfig& config_;
  RunSettings settings_;
  watch::Watchdog watchdog_;
  SharedDataset data_;
  algorithms::TrainingParts parts_;
  Evaluator evaluator_;
  TrainingClock clock_;
  EpochStepTimes step_times_;
  Tracer tracer_;
  Position position_;
  RunRecorder recorder_;
  Json machine_;  // set by provenance()
  Checkpointer checkpointer_;
};

}  // namespace lockstep::train
