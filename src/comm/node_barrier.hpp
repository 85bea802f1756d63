// SPDX-License-Identifier: BSD-3-Clause
// A barrier for the ranks of one node, through atomics in shared memory.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <span>

#include "comm/communicator.hpp"
#include "comm/shared_window.hpp"
#include "core/aligned.hpp"

namespace lockstep::comm {

/// A barrier of a node's ranks that costs no message: what a rank wrote before wait() is visible to all after
/// it. Every rank counts its waits on a cache line of its own and watches the others' counts; counts only
/// grow, so nothing is ever reset. Reads P lines, writes one. Waiting ranks spin for a while, then yield
/// their core; at once where the ranks outnumber the cores that they may run on. On a simulated cluster they
/// wait in MPI_Barrier.
class NodeBarrier {
 public:
  /// Collective over `node`, whose ranks must share memory and which must outlive the barrier.
  explicit NodeBarrier(const Communicator& node);

  /// Collective over the node. Allocates nothing and calls no MPI function.
  void wait();
  /// How often this rank has waited so far; the same number on all ranks between two waits.
  [[nodiscard]] std::uint64_t waits() const { return waits_; }

 private:
  struct alignas(cache_line_bytes) Arrival {
    std::atomic<std::uint64_t> waits;
  };
  static_assert(std::atomic<std::uint64_t>::is_always_lock_free,
                "processes can share only lock-free atomics");

  const Communicator& node_;
  SharedWindow window_;
  std::span<Arrival> arrivals_;  // [rank], in the window
  std::size_t rank_;
  std::uint64_t waits_ = 0;
  unsigned spins_ = 0;  // before the first yield
};

}  // namespace lockstep::comm
