// SPDX-License-Identifier: BSD-3-Clause
// What the ranks of a node are doing, in memory that they share.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <span>

#include "comm/communicator.hpp"
#include "comm/shared_window.hpp"
#include "core/clock.hpp"

namespace lockstep::watch {

/// The number of the namespace in which this process has its number; 0: /proc does not say.
[[nodiscard]] std::uint64_t own_process_namespace();

/// One cache line for each rank of a node's progress, and one more for its watchdog. A rank writes its own
/// place; any thread of any rank may read all of them.
class Board {
 public:
  struct Place {
    PublishedProgress progress;
    alignas(cache_line_bytes) std::atomic<std::int32_t> process{0};
    std::atomic<std::uint64_t> process_namespace{0};  ///< in which that number is valid
    std::atomic<std::uint64_t> looks{0};              ///< of the rank's watchdog: it lives
    std::atomic<std::uint32_t> reported{0};           ///< of rank 0 of the node: a stall was reported
  };

  /// Collective over `node`, which outlives the board.
  explicit Board(const comm::Communicator& node);

  [[nodiscard]] Place& mine() const { return places_[rank_]; }
  [[nodiscard]] std::span<Place> places() const { return places_; }

 private:
  comm::SharedWindow window_;
  std::span<Place> places_;  // [rank of the node], in the window
  std::size_t rank_;
};

}  // namespace lockstep::watch
