// SPDX-License-Identifier: BSD-3-Clause
// How long the steps of an epoch took, over all ranks.
#pragma once

#include <cstddef>
#include <optional>

#include "comm/communicator.hpp"
#include "core/clock.hpp"
#include "core/json_fwd.hpp"
#include "core/step_times.hpp"

namespace lockstep::train {

/// Percentiles over all steps and ranks, in seconds.
struct StepTimeSummary {
  double p50_s = 0.0, p95_s = 0.0, p99_s = 0.0;
  double largest_s = 0.0;
  std::size_t largest_rank = 0;
};

/// The step times of all ranks, and of the earlier processes of an interrupted epoch. All ranks call its
/// functions.
class EpochStepTimes {
 public:
  /// Both outlive it.
  EpochStepTimes(const comm::Communicator& ranks, const PhaseTimer& phases)
      : ranks_(ranks), phases_(phases) {}

  void begin_epoch() { earlier_.reset(); }
  /// The same on all ranks. Collective.
  [[nodiscard]] StepTimeSummary summary() const;
  /// The times so far, for a checkpoint's description. The same on all ranks. Collective.
  [[nodiscard]] Json to_json() const;
  /// Takes the times of earlier processes from a checkpoint's description; those of older versions have none.
  void resume(const Json& about) { earlier_ = read(about); }
  /// Throws if a description cannot be resumed from.
  static void check(const Json& about) { (void)read(about); }

 private:
  struct OfRanks {
    StepTimes times;
    std::size_t largest_rank = 0;
  };
  [[nodiscard]] static std::optional<OfRanks> read(const Json& about);
  [[nodiscard]] OfRanks all() const;

  const comm::Communicator& ranks_;
  const PhaseTimer& phases_;
  std::optional<OfRanks> earlier_;
};

}  // namespace lockstep::train
