// SPDX-License-Identifier: BSD-3-Clause
// The one clock, and the phases that a rank's time is split into.
#pragma once

#include <array>
#include <cstddef>
#include <string_view>

namespace lockstep {

/// Seconds on the monotonic clock (clock_gettime, which simulators intercept; std::chrono they do not).
[[nodiscard]] double now_s();

/// Where a rank's time goes. `wait` is time spent waiting for the slowest rank before an exchange starts;
/// `exchange` is the transfer and reduction themselves. evaluate and checkpoint are off the training clock.
enum class Phase { data, compute, exchange, wait, update, evaluate, checkpoint };

inline constexpr std::array<std::string_view, 7> phase_names = {"data",   "compute",  "exchange",  "wait",
                                                                "update", "evaluate", "checkpoint"};
inline constexpr std::size_t phase_count = phase_names.size();

/// Seconds per phase, indexed by Phase.
using PhaseSeconds = std::array<double, phase_count>;

/// True for phases that count as training time.
[[nodiscard]] constexpr bool on_training_clock(Phase phase) {
  return phase != Phase::evaluate && phase != Phase::checkpoint;
}

/// Splits a thread's time into phases: enter() charges the time since the last call to the phase left behind.
/// One clock reading for each change of phase; nothing is allocated.
class PhaseTimer {
 public:
  /// Starts an epoch, in Phase::data; `so_far` is what an interrupted epoch has in its phases already.
  void restart(const PhaseSeconds& so_far = {});
  void enter(Phase phase);
  /// Charges the running phase and returns all phases since restart().
  [[nodiscard]] const PhaseSeconds& stop();

 private:
  PhaseSeconds seconds_{};
  Phase current_ = Phase::data;
  double entered_s_ = 0.0;
};

}  // namespace lockstep
