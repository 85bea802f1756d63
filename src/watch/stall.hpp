// SPDX-License-Identifier: BSD-3-Clause
// Which ranks keep the others waiting, by what all ranks are doing.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "core/clock.hpp"

namespace lockstep::watch {

/// What one rank is doing, as another sees it.
struct RankView {
  std::uint32_t rank = 0;
  std::int32_t process = 0;  ///< 0: of this rank nothing is known but when it was heard of last
  std::uint32_t phase = 0, epoch = 0, step = 0;
  std::uint64_t changes = 0;     ///< of the phase since the start; 0: the first step has not begun
  std::uint64_t waits = 0;       ///< exchanges begun
  std::uint64_t since_wait = 0;  ///< changes of phase since the last of them
  double idle_s = 0.0;           ///< since the last change of phase, or since the rank was last heard of
  char state = '?';  ///< of its process, as in /proc/PID/stat; 'X': gone; '-': not heard of any more
};

/// Seconds since any rank made progress.
[[nodiscard]] double idle_s(std::span<const RankView> ranks);

/// The ranks that the others wait for: those whose processes are stopped, gone or silent; else those that are
/// not in an exchange, and of these those that have begun the fewest; else those that are behind the others
/// in the sequence of exchanges and phases. Empty: all are at the same place.
[[nodiscard]] std::vector<RankView> late_ranks(std::span<const RankView> ranks);

/// One line a late rank and one for the ranks that wait, each indented by two blanks. `hosts` [rank].
[[nodiscard]] std::string describe_stall(std::span<const RankView> ranks, std::span<const std::string> hosts);

/// The state letter of a process in /proc; 'X' if it is gone, '?' if /proc does not tell.
[[nodiscard]] char process_state(std::int32_t process);

}  // namespace lockstep::watch
