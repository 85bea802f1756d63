// SPDX-License-Identifier: BSD-3-Clause
// A training in progress: its parts, and the way through its epochs.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "algorithms/algorithm.hpp"
#include "comm/allreduce.hpp"
#include "comm/check_in.hpp"
#include "comm/communicator.hpp"
#include "core/aligned.hpp"
#include "core/clock.hpp"
#include "core/json.hpp"
#include "math/gemm.hpp"
#include "nn/model.hpp"
#include "nn/optimizer.hpp"
#include "record/progress.hpp"
#include "record/run_file.hpp"
#include "record/run_record.hpp"
#include "train/evaluator.hpp"
#include "train/run_config.hpp"
#include "train/run_log.hpp"
#include "train/shared_dataset.hpp"
#include "train/trainer.hpp"

namespace lockstep::train {

/// The parts of a training, owned in the order in which they need each other. Built at its first step, or at
/// the step where an earlier process left it.
class Training {
 public:
  /// `ranks` and `config` outlive it. Collective.
  Training(const comm::Communicator& ranks, ResolvedConfig& config, RunSettings settings);
  /// Trains to the end, or until it is told to stop; returns the exit status. Collective.
  [[nodiscard]] int run();

 private:
  // Building (training.cpp).
  [[nodiscard]] bool goes_on() const { return !settings_.beginning.checkpoint.empty(); }
  [[nodiscard]] std::size_t max_batch() const;
  [[nodiscard]] std::unique_ptr<comm::Allreduce> make_allreduce() const;
  void choose_gemms();
  [[nodiscard]] Json provenance();
  void open_record();
  void start_segment(const Json& provenance);
  void greet() const;

  // Training (training_run.cpp).
  void show(const algorithms::StepReport& step);
  bool pauses_here();
  TestResult evaluate();
  void evaluate_own();
  EpochOfRun finish_epoch(const algorithms::EpochStats& stats);
  int end_complete();
  int end_diverged(double loss);
  int end_interrupted();
  void close_record(const char* status);

  // Checkpoints (training_checkpoints.cpp).
  [[nodiscard]] algorithms::State state();
  [[nodiscard]] Json about_checkpoint();
  void restore();
  [[nodiscard]] std::string save();
  void save_and_go_on();
  void write_after_epoch();
  void snapshot();

  const comm::Communicator& ranks_;
  comm::Communicator node_;
  ResolvedConfig& config_;
  RunSettings settings_;
  SharedDataset shared_data_;
  const data::Dataset& data_;
  std::unique_ptr<math::Gemm> gemm_;
  nn::Model model_;
  AlignedVector<float> parameters_, gradients_, exported_, layer_state_;
  std::unique_ptr<nn::Optimizer> optimizer_;
  std::unique_ptr<comm::Allreduce> allreduce_;
  Evaluator evaluator_;
  std::optional<comm::Communicator> alone_;  // this rank, where the ranks' own models are evaluated
  double own_accuracy_ = 0.0;                // of this rank's model after the epoch's last step
  PhaseTimer phases_;
  record::RunRecord record_;
  RunLog log_;
  comm::CheckIn check_in_;
  std::optional<record::RunFileWriter> file_;  // on rank 0
  std::optional<record::Progress> progress_;   // on rank 0
  record::ProgressStyle style_ = record::ProgressStyle::off;
  Json machine_;  // what rounding depends on beside the configuration

  std::uint32_t epoch_;      // that goes on, or comes next
  std::size_t epoch_steps_;  // done of it when it was paused
  std::size_t steps_an_epoch_ = 0;
  comm::Request agreed_;            // at the last check-in
  double first_step_s_ = 0.0;       // when; earlier by what the wall clock had counted before this process
  double checkpoint_s_ = 0.0;       // that writing took after the epoch before
  double last_checkpoint_s_ = 0.0;  // when that was
  // What a checkpoint keeps beside the algorithm's state.
  PhaseSeconds so_far_{};  // of the epoch that goes on
  double wall_clock_s_ = 0.0;
};

}  // namespace lockstep::train
