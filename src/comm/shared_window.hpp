// SPDX-License-Identifier: BSD-3-Clause
// Memory that the ranks of one node share.
#pragma once

#include <cstddef>
#include <span>

#include "comm/communicator.hpp"

namespace lockstep::comm {

/// One block of memory for all ranks of a node (MPI_Win_allocate_shared; rank 0 of `node` owns the pages).
class SharedWindow {
 public:
  /// Collective over `node`, whose ranks must share memory. `size_bytes` is read from its rank 0.
  SharedWindow(const Communicator& node, std::size_t size_bytes);
  ~SharedWindow();
  SharedWindow(SharedWindow&& other) noexcept;
  SharedWindow& operator=(SharedWindow&& other) noexcept;

  [[nodiscard]] std::span<std::byte> bytes() const { return bytes_; }
  /// Makes what any rank wrote before visible to all ranks after. Collective over the node.
  void fence() const;

 private:
  MPI_Comm node_ = MPI_COMM_NULL;
  MPI_Win window_ = MPI_WIN_NULL;
  std::span<std::byte> bytes_;
};

}  // namespace lockstep::comm
