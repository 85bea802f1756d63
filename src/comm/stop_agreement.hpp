// SPDX-License-Identifier: BSD-3-Clause
// How ranks agree at which step to stop or to write a checkpoint.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>

#include "comm/communicator.hpp"
#include "comm/shared_window.hpp"
#include "core/clock.hpp"

namespace lockstep::comm {

/// What a rank asks for, and what all then agree on.
struct Request {
  bool stop = false;
  bool checkpoint = false;
  bool diverged = false;  ///< a rank has numbers that are not finite
  [[nodiscard]] bool any() const { return stop || checkpoint || diverged; }
};

/// A signal reaches ranks at different steps, or reaches only some of them. Ranks that stop at different
/// steps would wait for each other for ever, so they agree at check-ins. At check-in j every rank starts a
/// non-blocking maximum of its requests. At check-in j + 1 it waits for the result, and all ranks do what any
/// rank asked for, at the same step. Between check-ins no rank waits. The ranks also exchange the slowest
/// rank's time for a step, and choose the number of steps between check-ins so that they are about 0.1 s
/// apart (or one step, if steps take longer). All agree on a request after two check-ins at most. Bytes sent
/// per rank and check-in: four numbers, lg P steps. Nothing is allocated after the first.
class StopAgreement {
 public:
  /// On a communicator of its own. Collective.
  explicit StopAgreement(const Communicator& ranks);
  /// Waits for what was started. Collective.
  ~StopAgreement();
  StopAgreement(const StopAgreement&) = delete;
  StopAgreement& operator=(const StopAgreement&) = delete;

  /// Call it after every step. True, on all ranks alike, if exchange() must be called now.
  [[nodiscard]] bool due();
  /// Makes the request `mine`; returns what all ranks agree on now. Its waiting is charged to Phase::wait.
  /// Collective.
  Request exchange(const Request& mine, PhaseTimer& phases);

  /// Steps between this check-in and the next.
  [[nodiscard]] std::size_t interval() const { return interval_; }

 private:
  static constexpr double between_s = 0.1;
  static constexpr std::size_t longest_interval = 4096;
  // An MPI library without a progress thread moves messages only inside its calls. Without calls between
  // check-ins, a rank that is ahead would wait for one that has not reached its check-in.
  static constexpr std::size_t tests_between = 16;

  using Numbers = std::array<double, 4>;  // stop, checkpoint, diverged, seconds per step
  /// SimGrid's non-blocking allreduce sends P^2 messages, and its non-blocking barrier lets ranks go before
  /// all have come. But all ranks share memory there: the largest numbers of a check-in. The last rank to
  /// come sends an empty message to each that says they are complete.
  struct Board {
    std::uint64_t check_in = 0;
    std::size_t arrived = 0;  // ranks
    Numbers largest{};
  };

  void start(const Request& mine);
  [[nodiscard]] Board& board() const;

  Communicator ranks_;
  std::optional<SharedWindow> boards_;  // two that take turns; on a simulated cluster
  std::uint64_t check_ins_ = 0;
  MPI_Request pending_ = MPI_REQUEST_NULL;
  Numbers exchanged_{};  // MPI's while it is pending
  bool started_ = false;
  std::size_t interval_ = 1;
  std::size_t steps_ = 0;  // since the last check-in
  double last_s_;          // when that was
};

}  // namespace lockstep::comm
