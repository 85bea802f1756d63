// SPDX-License-Identifier: BSD-3-Clause
// Memory that the ranks of one node share.
#pragma once

#include <cstddef>
#include <span>

#include "comm/communicator.hpp"
#include "core/aligned.hpp"

namespace lockstep::comm {

/// One block of memory for all ranks of a node (MPI_Win_allocate_shared, all of it asked for by rank 0 of
/// `node`). It starts on a cache line. Its contents are undefined at first; a page lies near the rank that
/// writes it first. On a simulated cluster, where ranks are coroutines, it is memory of rank 0's.
class SharedWindow {
 public:
  /// Collective over `node`, whose ranks must share memory and which must outlive the window. `size_bytes` is
  /// the same on all ranks.
  SharedWindow(const Communicator& node, std::size_t size_bytes);
  ~SharedWindow();
  SharedWindow(SharedWindow&& other) noexcept;
  SharedWindow& operator=(SharedWindow&& other) noexcept;

  [[nodiscard]] std::span<std::byte> bytes() const { return bytes_; }
  /// Makes what any rank wrote before visible to all ranks after. Collective over the node.
  void fence() const;

 private:
  void share_root_memory(const Communicator& node, std::size_t size_bytes);

  MPI_Comm node_ = MPI_COMM_NULL;
  MPI_Win window_ = MPI_WIN_NULL;     // none on a simulated cluster,
  AlignedVector<std::byte> of_root_;  // but memory of rank 0
  std::span<std::byte> bytes_;
};

}  // namespace lockstep::comm
