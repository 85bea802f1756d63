// SPDX-License-Identifier: BSD-3-Clause
// Gathers what the ranks measured in an epoch into the series of the run's record.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "algorithms/algorithm.hpp"
#include "comm/communicator.hpp"
#include "core/clock.hpp"
#include "record/run_record.hpp"
#include "train/evaluator.hpp"

namespace lockstep::train {

/// The seconds that count as training.
[[nodiscard]] double training_seconds(const PhaseSeconds& phases);

/// What one rank knows of an epoch.
struct EpochOfRank {
  algorithms::EpochStats stats;
  PhaseSeconds phases{};
  double wall_clock_s = 0.0;           ///< since the first step
  std::optional<TestResult> tested;    ///< the same on all ranks
  std::optional<double> own_accuracy;  ///< of the rank's own model, where that is asked for
  std::vector<algorithms::Observation> observations;
};

/// What all ranks know of an epoch after it was logged.
struct EpochOfRun {
  double train_loss = 0.0;
  double samples = 0.0;
  double epoch_s = 0.0;  ///< training time of the slowest rank
};

/// The series of a run. The record is filled on rank 0 alone.
class RunLog {
 public:
  RunLog(const comm::Communicator& ranks, record::RunRecord& record) : ranks_(ranks), record_(record) {}

  /// For a run that goes on: the training clock stands at `train_clock_s`.
  void go_on_from(double train_clock_s) { train_clock_s_ = train_clock_s; }
  [[nodiscard]] double train_clock_s() const { return train_clock_s_; }
  /// Adds an epoch to all series, and makes them at the first. Collective.
  EpochOfRun append(const EpochOfRank& mine);

 private:
  struct Entry {
    std::string group, name, unit, description;
    bool per_rank = false;
    double value = 0.0;
  };
  void write(const std::vector<Entry>& of_run, const std::vector<Entry>& of_rank);
  void write_entry(const Entry& entry, std::span<const double> values);

  const comm::Communicator& ranks_;
  record::RunRecord& record_;
  double train_clock_s_ = 0.0;
};

}  // namespace lockstep::train
