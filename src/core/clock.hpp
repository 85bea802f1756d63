// SPDX-License-Identifier: BSD-3-Clause
// The one clock, and the phases that a rank's time is split into.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "core/aligned.hpp"
#include "core/step_times.hpp"

namespace lockstep {

class Timeline;

/// Seconds on the monotonic clock of the platform: simulated seconds on a simulated cluster.
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

/// What a rank does, published for other threads and for processes that share its memory.
struct alignas(cache_line_bytes) PublishedProgress {
  std::atomic<std::uint64_t> changes{0};     ///< of the phase so far
  std::atomic<std::uint64_t> waits{0};       ///< of these, into Phase::wait: the exchanges begun
  std::atomic<std::uint64_t> since_wait{0};  ///< changes since the last of these
  std::atomic<std::uint32_t> phase{0};
  std::atomic<std::uint32_t> epoch{0}, step{0};
};

/// What an exchange moved, for a timeline.
struct Exchanged {
  std::string_view algorithm = {};  ///< outlives the timeline
  std::size_t sent_bytes = 0;
  std::size_t array_bytes = 0;  ///< of what was exchanged
};

/// Splits a thread's time into phases: enter() charges the time since the last call to the phase left behind.
/// One clock reading for each change of phase; nothing is allocated.
class PhaseTimer {
 public:
  /// Starts an epoch, in Phase::data; `so_far` is what an interrupted epoch has in its phases already.
  void restart(const PhaseSeconds& so_far = {});
  void enter(Phase phase);
  /// Enters Phase::data: a step begins, and the one before ends. `number` counts the epoch's steps from 1.
  void begin_step(std::size_t number);
  /// The last step ends: what follows belongs to none.
  void end_steps();
  /// The steps that ended since restart().
  [[nodiscard]] const StepTimes& step_times() const { return step_times_; }
  /// What follows waits for other ranks, although its time is charged to the running phase, as at the end of
  /// an evaluation. Published as Phase::wait until the next change of phase.
  void meet_others() { publish(Phase::wait); }
  /// From now on each change of phase is published there, too. nullptr: nowhere.
  void publish_to(PublishedProgress* place) { published_ = place; }
  /// From now on phases and steps are recorded there, too. nullptr: nowhere.
  void record_to(Timeline* timeline) { timeline_ = timeline; }
  [[nodiscard]] Timeline* timeline() const { return timeline_; }
  /// The exchange that runs, or else the next one, sends this; for the timeline.
  void note_exchange(const Exchanged& what) {
    if (timeline_ != nullptr) record_exchange(what);
  }
  /// The exchange that runs makes an average; for the timeline.
  void note_average() {
    if (timeline_ != nullptr) record_average();
  }
  /// Charges the running phase and returns all phases since restart().
  [[nodiscard]] const PhaseSeconds& stop();
  /// The last clock reading.
  [[nodiscard]] double last_s() const { return entered_s_; }

 private:
  void publish(Phase phase);
  void end_step();
  void record_exchange(const Exchanged& what);
  void record_average();

  PhaseSeconds seconds_{};
  Phase current_ = Phase::data;
  double entered_s_ = 0.0;
  PublishedProgress* published_ = nullptr;
  Timeline* timeline_ = nullptr;
  std::size_t step_ = 0;  // that runs; 0: none
  double step_began_s_ = 0.0;
  StepTimes step_times_;
};

}  // namespace lockstep
