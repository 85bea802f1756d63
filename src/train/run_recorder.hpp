// SPDX-License-Identifier: BSD-3-Clause
// A run's record: its file, its progress, and what is said when it ends.
#pragma once

#include <filesystem>
#include <optional>
#include <string>

#include "comm/communicator.hpp"
#include "core/json.hpp"
#include "record/progress.hpp"
#include "record/run_file.hpp"
#include "record/run_record.hpp"
#include "train/run_config.hpp"
#include "train/run_log.hpp"
#include "train/trainer.hpp"

namespace lockstep::train {

/// Where a training stands.
struct Position {
  std::uint32_t epoch = 0;  ///< that goes on, or comes next
  std::size_t step = 0;     ///< done of it
  std::size_t steps = 0;    ///< of an epoch, as far as is known
};

/// Keeps the record of a run; on rank 0 also its file and the progress display. Functions are for all ranks.
class RunRecorder {
 public:
  /// All outlive it.
  RunRecorder(const comm::Communicator& ranks, const ResolvedConfig& config, const RunSettings& settings);

  /// Begins the record, or goes on with one; `provenance` is complete on rank 0.
  void open(const Json& provenance);
  /// The first lines on the screen.
  void greet(std::size_t parameter_count, const Json& machine) const;
  /// After every step.
  void show(const Position& position, const algorithms::StepReport& step);
  /// After an epoch, which `position` has behind it. Collective.
  EpochOfRun append(const Position& position, const EpochOfRank& mine);
  /// Writes the record where a snapshot is due; a failure is a warning.
  void snapshot();
  /// Writes the record now; returns what failed, or "": the same on all ranks. Collective.
  [[nodiscard]] std::string save();
  /// Ends the run, and the file; `closing` joins the provenance. Throws Error on rank 0.
  void close(const char* status, const Json& closing);

  /// Of the run. Complete on rank 0.
  [[nodiscard]] const record::RunRecord& record() const { return record_; }
  [[nodiscard]] record::RunRecord& record() { return record_; }
  /// The run file; on rank 0, elsewhere "".
  [[nodiscard]] std::filesystem::path path() const { return file_ ? file_->path() : std::filesystem::path(); }
  /// Training seconds of all epochs so far.
  [[nodiscard]] double train_clock_s() const { return log_.train_clock_s(); }

 private:
  void start_segment(const Json& provenance);

  const comm::Communicator& ranks_;
  const ResolvedConfig& config_;
  const RunSettings& settings_;
  record::RunRecord record_;
  RunLog log_;
  std::optional<record::RunFileWriter> file_;  // on rank 0
  std::optional<record::Progress> progress_;   // on rank 0
  record::ProgressStyle style_ = record::ProgressStyle::off;
};

}  // namespace lockstep::train
