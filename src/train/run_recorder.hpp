// SPDX-License-Identifier: BSD-3-Clause
// A run's record, its file, and its progress on the screen.
#pragma once

#include <cstddef>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "algorithms/algorithm.hpp"
#include "comm/communicator.hpp"
#include "core/clock.hpp"
#include "core/json.hpp"
#include "record/progress.hpp"
#include "record/run_file.hpp"
#include "record/run_record.hpp"
#include "train/epoch_step_times.hpp"
#include "train/evaluator.hpp"
#include "train/launch.hpp"
#include "train/ongoing_trouble.hpp"
#include "train/run_config.hpp"

namespace lockstep::train {

/// Where a training stands.
struct Position {
  std::uint32_t epoch = 0;  ///< epochs that are complete
  std::size_t step = 0;     ///< steps done of the next one
  std::size_t steps = 0;    ///< steps of an epoch; 0: not yet known
};

/// What one rank knows of an epoch.
struct EpochOfRank {
  algorithms::EpochStats stats;
  PhaseSeconds phases{};
  StepTimeSummary step_times;          ///< the same on all ranks
  double wall_clock_s = 0.0;           ///< since the first step
  std::optional<TestResult> tested;    ///< the same on all ranks
  std::optional<double> own_accuracy;  ///< of the rank's own model, with --eval-ranks
  std::vector<algorithms::Observation> observations;
};

/// Keeps the record of a run; on rank 0 also its file and the progress display. All ranks call its functions.
class RunRecorder {
 public:
  /// All outlive it.
  RunRecorder(const comm::Communicator& ranks, const ResolvedConfig& config, const RunSettings& settings);

  /// Begins the record, or continues that of the run file; `provenance` is complete on rank 0.
  void open(const Json& provenance);
  /// The first lines on the screen.
  void greet(std::size_t parameter_count, const Json& machine) const;
  /// After every step.
  void show(const Position& position, const algorithms::StepReport& step);
  /// After an epoch. Returns its numbers. Collective.
  record::EpochSummary append(const EpochOfRank& mine);
  /// Writes the record if a snapshot is due; a failure is a warning.
  void snapshot();
  /// Writes the record now; a failure is a warning.
  void save();
  /// The run file as it would be written now; on rank 0, elsewhere nothing.
  [[nodiscard]] std::vector<std::byte> bytes() const;
  /// Writes the record for the last time, with `closing` added to the provenance. Throws Error on rank 0.
  void close(const char* status, const Json& closing);

  /// The record of the run; complete on rank 0.
  [[nodiscard]] const record::RunRecord& record() const { return record_; }
  [[nodiscard]] record::RunRecord& record() { return record_; }
  /// The run file; on rank 0, elsewhere "".
  [[nodiscard]] std::filesystem::path path() const { return file_ ? file_->path() : std::filesystem::path(); }

 private:
  void start_segment(const Json& provenance);
  void report(const std::string& failure);

  const comm::Communicator& ranks_;
  const ResolvedConfig& config_;
  const RunSettings& settings_;
  record::RunRecord record_;
  std::optional<record::RunFileWriter> file_;  // on rank 0
  std::optional<record::Progress> progress_;   // on rank 0
  OngoingTrouble trouble_;                     // with the file
  record::ProgressStyle style_ = record::ProgressStyle::off;
};

}  // namespace lockstep::train
