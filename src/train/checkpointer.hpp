// SPDX-License-Identifier: BSD-3-Clause
// When a training's checkpoint is written, what it holds, and the way back.
#pragma once

#include <string>

#include "algorithms/algorithm.hpp"
#include "algorithms/training_parts.hpp"
#include "comm/communicator.hpp"
#include "comm/stop_agreement.hpp"
#include "core/json.hpp"
#include "train/run_recorder.hpp"
#include "train/training_clock.hpp"

namespace lockstep::train {

/// What a checkpoint is of. All outlive the checkpointer.
struct CheckpointSubject {
  const comm::Communicator& ranks;
  algorithms::Algorithm& algorithm;
  algorithms::TrainingParts& parts;
  TrainingClock& clock;
  const Position& position;
  RunRecorder& recorder;
};

/// Saves a training at an epoch's end or in its middle, and puts it back. Its functions are collective.
class Checkpointer {
 public:
  Checkpointer(const CheckpointSubject& subject, const RunSettings& settings);

  /// The first step comes: checkpoints by time count from here.
  void start() { last_s_ = now_s(); }
  /// After every step: true if the ranks are to pause here, to stop or for a checkpoint.
  [[nodiscard]] bool pauses_here();
  /// What they agreed on then.
  [[nodiscard]] const comm::Request& agreed() const { return agreed_; }
  /// Puts the state of the settings' checkpoint in its places.
  void restore(const record::CheckpointReader* reader);
  /// Writes a checkpoint; returns what failed, or "".
  [[nodiscard]] std::string save();
  /// The same before the training goes on, which it does without one too. The run file comes first: a
  /// checkpoint of epochs that no run file tells of is of no use.
  void save_and_go_on();
  /// After an epoch of `epochs`: a checkpoint where one is due, else a snapshot of the run file.
  void write_after_epoch(std::size_t epochs);
  /// What that took after the epoch before, in seconds.
  [[nodiscard]] double written_s() const { return written_s_; }

  /// What rounding depends on beside the configuration; a checkpoint says on which machine it was written.
  void set_machine(Json machine) { machine_ = std::move(machine); }
  [[nodiscard]] const Json& machine() const { return machine_; }

 private:
  [[nodiscard]] algorithms::State state();
  [[nodiscard]] Json about();

  CheckpointSubject subject_;
  const RunSettings& settings_;
  comm::StopAgreement stop_agreement_;
  comm::Request agreed_;  // at the last check-in
  Json machine_;
  double last_s_ = 0.0;     // when the last checkpoint was written
  double written_s_ = 0.0;  // that writing took after the epoch before
};

}  // namespace lockstep::train
