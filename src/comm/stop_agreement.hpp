// SPDX-License-Identifier: BSD-3-Clause
// How ranks agree at which step to stop or to write a checkpoint.
#pragma once

#include <array>
#include <cstddef>

#include "comm/communicator.hpp"
#include "core/clock.hpp"

namespace lockstep::comm {

/// What a rank asks for, and what all then agree on.
struct Request {
  bool stop = false;
  bool checkpoint = false;
  bool diverged = false;  ///< a rank has numbers that are not finite
  [[nodiscard]] bool any() const { return stop || checkpoint || diverged; }
};

/// A signal reaches ranks at different steps, or some ranks alone, and ranks that would stop at different
/// steps would wait for each other for ever. So they ask each other now and then: at check-in j every rank
/// starts a non-blocking maximum of what it asks for, at check-in j + 1 it waits for the result, and what any
/// rank asked for is done by all ranks, there, at the same step. In between nobody waits. The number of steps
/// between check-ins follows from the slowest rank's time for a step, which is exchanged too, so that it is
/// the same everywhere and check-ins come about every 0.1 s (or every step, where steps take longer). A
/// request is agreed on after two check-ins at most.
/// Bytes sent per rank and check-in: four numbers, lg P steps. Nothing is allocated after the first.
class StopAgreement {
 public:
  /// On a communicator of its own. Collective.
  explicit StopAgreement(const Communicator& ranks);
  /// Waits for what was started. Collective.
  ~StopAgreement();
  StopAgreement(const StopAgreement&) = delete;
  StopAgreement& operator=(const StopAgreement&) = delete;

  /// To be called after every step. True if exchange() is to be called now; the same on all ranks.
  [[nodiscard]] bool due();
  /// Asks for `mine`; returns what all agree on now. Its waiting is charged to Phase::wait. Collective.
  Request exchange(const Request& mine, PhaseTimer& phases);

  /// Steps between this check-in and the next.
  [[nodiscard]] std::size_t interval() const { return interval_; }

 private:
  static constexpr double between_s = 0.1;
  static constexpr std::size_t longest_interval = 4096;
  // An MPI library without a progress thread moves messages only inside its calls, so that a rank which is
  // ahead would wait for one that is not at its check-in yet, were it not for calls in between.
  static constexpr std::size_t tests_between = 16;

  void start(const Request& mine);

  Communicator ranks_;
  MPI_Request pending_ = MPI_REQUEST_NULL;
  std::array<double, 4>
      exchanged_{};  // stop, checkpoint, diverged, seconds per step; MPI's while it is pending
  bool started_ = false;
  std::size_t interval_ = 1;
  std::size_t steps_ = 0;  // since the last check-in
  double last_s_;          // when that was
};

}  // namespace lockstep::comm
