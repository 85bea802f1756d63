// SPDX-License-Identifier: BSD-3-Clause
// The books of what a rank sends: bytes, and where the time of its exchanges goes.
#pragma once

#include <cstddef>
#include <string_view>

#include "comm/communicator.hpp"
#include "core/clock.hpp"

namespace lockstep::comm {

/// Counts the bytes that this rank sends, and charges exchanges to their phases. Collectives that are given
/// one keep it themselves.
class Traffic {
 public:
  /// Both outlive it.
  Traffic(const Communicator& ranks, PhaseTimer& phases) : ranks_(ranks), phases_(phases) {}

  /// An exchange begins: charges the time until all ranks have come here to Phase::wait, then enters
  /// Phase::exchange. One barrier. Collective.
  void begin_exchange() const {
    phases_.enter(Phase::wait);
    ranks_.barrier();
    phases_.enter(Phase::exchange);
  }
  /// `algorithm` and the bytes of the array that it exchanges are for a timeline.
  void add_sent(std::size_t bytes, std::string_view algorithm, std::size_t array_bytes) {
    sent_bytes_ += bytes;
    phases_.note_exchange({.algorithm = algorithm, .sent_bytes = bytes, .array_bytes = array_bytes});
  }

  [[nodiscard]] std::size_t sent_bytes() const { return sent_bytes_; }
  /// Where the count is, for a checkpoint.
  [[nodiscard]] std::size_t* sent_bytes_place() { return &sent_bytes_; }
  /// An epoch begins.
  void reset() { sent_bytes_ = 0; }

 private:
  const Communicator& ranks_;
  PhaseTimer& phases_;
  std::size_t sent_bytes_ = 0;
};

}  // namespace lockstep::comm
