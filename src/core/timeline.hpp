// SPDX-License-Identifier: BSD-3-Clause
// What a rank did, and when.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "core/clock.hpp"

namespace lockstep {

/// Records phases, exchanges, averages, steps and epochs of a rank's first steps. A PhaseTimer feeds it with
/// the clock readings that it takes anyway. All memory is allocated at creation; what it has no room for is
/// counted.
class Timeline {
 public:
  enum class Kind : std::uint8_t { epoch, step, average, phase };

  struct Event {
    double begin_s = 0.0, end_s = 0.0;
    std::size_t sent_bytes = 0, array_bytes = 0;  ///< of an exchange
    std::string_view algorithm = {};              ///< of an exchange; "" for anything else
    std::uint32_t number = 0;                     ///< of an epoch or a step, from 1
    Kind kind = Kind::phase;
    Phase phase = Phase::data;
  };

  /// Records until `most_steps` steps have ended.
  explicit Timeline(std::size_t most_steps);

  /// Phases outside of epochs are not recorded.
  void begin_epoch(std::size_t number, double at_s);
  void end_epoch(double at_s);
  /// The running phase ends here even if it goes on, so that it lies within a step or without.
  void begin_step() { begins_step_ = true; }
  void add_step(std::size_t number, double begin_s, double end_s);
  void add_phase(Phase phase, double begin_s, double end_s);
  /// A phase that was timed elsewhere, outside of epochs.
  void add_phase_outside(Phase phase, double begin_s, double end_s);
  /// What the running exchange sends, or else the next one.
  void note_exchange(const Exchanged& what);
  /// The running exchange makes an average.
  void note_average() { is_average_ = true; }
  /// Forgets all events, and records again.
  void clear();

  /// In the order of their ends; an epoch that has not ended has the end of what was recorded of it.
  [[nodiscard]] const std::vector<Event>& events() const { return events_; }
  [[nodiscard]] std::size_t steps_recorded() const { return steps_; }
  /// Steps that ended after the last one that was recorded.
  [[nodiscard]] std::size_t steps_left_out() const { return steps_left_out_; }

 private:
  static constexpr std::size_t no_epoch = static_cast<std::size_t>(-1);

  void push(const Event& event);
  void finish_exchange(double begin_s, double end_s);

  std::size_t most_steps_;
  std::vector<Event> events_;
  std::size_t epoch_ = no_epoch;  // the place of the running epoch's event
  std::size_t steps_ = 0, steps_left_out_ = 0;
  bool is_full_ = false;
  bool begins_step_ = false;
  Exchanged pending_;  // of the exchange that ends next
  bool is_average_ = false;
};

}  // namespace lockstep
