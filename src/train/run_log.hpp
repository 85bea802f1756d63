// SPDX-License-Identifier: BSD-3-Clause
// Gathers what the ranks measured in an epoch into the series of the run's record.
#pragma once

#include <optional>
#include <vector>

#include "algorithms/algorithm.hpp"
#include "comm/communicator.hpp"
#include "core/clock.hpp"
#include "record/progress.hpp"
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
  std::optional<double> own_accuracy;  ///< of the rank's own model, with --eval-ranks
  std::vector<algorithms::Observation> observations;
};

/// Adds an epoch to the series of rank 0's `record`, and makes missing ones. Returns the epoch. Collective.
record::EpochSummary append_epoch(const comm::Communicator& ranks, const EpochOfRank& mine,
                                  record::RunRecord& record);

}  // namespace lockstep::train
