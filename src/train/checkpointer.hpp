// SPDX-License-Identifier: BSD-3-Clause
// When a training's checkpoint is written, what it holds, and how it is restored.
#pragma once

#include <string>

#include "algorithms/algorithm.hpp"
#include "algorithms/training_parts.hpp"
#include "comm/communicator.hpp"
#include "comm/stop_agreement.hpp"
#include "core/json.hpp"
#include "train/epoch_step_times.hpp"
#include "train/run_recorder.hpp"
#include "train/training_clock.hpp"

namespace lockstep::train {

/// What a checkpoint is of. All outlive the checkpointer.
struct CheckpointSubject {
  const comm::Communicator& ranks;
  algorithms::Algorithm& algorithm;
  algorithms::TrainingParts& parts;
  TrainingClock& clock;
  const EpochStepTimes& step_times;
  const Position& position;
  RunRecorder& recorder;
  const Json& machine;  ///< what rounding depends on beside the configuration
};

/// Saves a training at the end of an epoch or within one, and restores it. Its functions are collective.
class Checkpointer {
 public:
  Checkpointer(const CheckpointSubject& subject, const RunSettings& settings);

  /// Right before the first step: checkpoints by time count from here.
  void start() { last_s_ = now_s(); }
  /// After every step: true if the ranks must pause here, to stop or for a checkpoint.
  [[nodiscard]] bool pauses_here(bool diverged);
  /// What the ranks agreed on there.
  [[nodiscard]] const comm::Request& agreed() const { return agreed_; }
  /// Restores the state from a checkpoint; only rank 0 has a reader.
  void restore(const record::CheckpointReader* reader);
  /// Writes a checkpoint; returns what failed, or "".
  [[nodiscard]] std::string save();
  /// Writes the run file and a checkpoint; a failure is a warning. The run file comes first, because a
  /// process that another has taken over from must not replace a checkpoint.
  void save_and_continue();
  /// After one of `epochs` epochs: writes a checkpoint if one is due, else a snapshot of the run file.
  void write_after_epoch(std::size_t epochs);
  /// Seconds that this took after the last epoch.
  [[nodiscard]] double written_s() const { return written_s_; }

 private:
  [[nodiscard]] algorithms::State state();
  [[nodiscard]] Json about();

  CheckpointSubject subject_;
  const RunSettings& settings_;
  comm::StopAgreement stop_agreement_;
  comm::Request agreed_;    // at the last check-in
  double last_s_ = 0.0;     // when the last checkpoint was written
  double written_s_ = 0.0;  // that writing took after the last epoch
  OngoingTrouble trouble_;  // with checkpoints
};

}  // namespace lockstep::train
