// SPDX-License-Identifier: BSD-3-Clause
// Allocation of node-shared memory through MPI.
#include "comm/shared_window.hpp"

#include <cstdint>
#include <exception>
#include <utility>

#include "comm/node_memory.hpp"
#include "core/aligned.hpp"
#include "core/error.hpp"
#include "core/platform.hpp"

namespace lockstep::comm {

SharedWindow::SharedWindow(const Communicator& node, std::size_t size_bytes) : node_(node.handle()) {
  if (platform().is_simulated) {
    share_root_memory(node, size_bytes);
    return;
  }
  // Room to start on a cache line. Every rank skips equally much: mappings of one block start on pages.
  const std::size_t asked = node.is_root() ? size_bytes + cache_line_bytes : 0;
  void* mine = nullptr;
  check_shared_memory(node, asked);
  try {
    check(MPI_Win_allocate_shared(static_cast<MPI_Aint>(asked), 1, MPI_INFO_NULL, node_, &mine, &window_),
          "MPI_Win_allocate_shared");
  } catch (const Error& failure) {
    throw Error({.what = failure.what(), .hint = shared_memory_hint()});
  }
  check(MPI_Win_set_errhandler(window_, MPI_ERRORS_RETURN), "MPI_Win_set_errhandler");

  MPI_Aint available = 0;
  int unit = 0;
  void* start = nullptr;
  check(MPI_Win_shared_query(window_, 0, &available, &unit, &start), "MPI_Win_shared_query");
  const std::size_t beyond_line = reinterpret_cast<std::uintptr_t>(start) % cache_line_bytes;
  const std::size_t skip = beyond_line == 0 ? 0 : cache_line_bytes - beyond_line;
  bytes_ = std::span(static_cast<std::byte*>(start) + skip,
                     static_cast<std::size_t>(available) - cache_line_bytes);

  // One epoch for the window's whole life: loads and stores are allowed throughout, ordered by fence() or by
  // atomics that live in the window.
  check(MPI_Win_lock_all(MPI_MODE_NOCHECK, window_), "MPI_Win_lock_all");
}

// Ranks of one process need no MPI for it; SimGrid's window has room for as many blocks as there are ranks.
void SharedWindow::share_root_memory(const Communicator& node, std::size_t size_bytes) {
  if (node.is_root()) of_root_.resize(size_bytes);
  std::byte* start = of_root_.data();
  check(MPI_Bcast(static_cast<void*>(&start), sizeof start, MPI_BYTE, 0, node_), "MPI_Bcast");
  bytes_ = {start, size_bytes};
}

SharedWindow::~SharedWindow() {
  if (bytes_.data() == nullptr || std::uncaught_exceptions() > 0) return;
  if (window_ == MPI_WIN_NULL) {
    MPI_Barrier(node_);
    return;
  }
  MPI_Win_unlock_all(window_);
  MPI_Win_free(&window_);
}

SharedWindow::SharedWindow(SharedWindow&& other) noexcept
    : node_(std::exchange(other.node_, MPI_COMM_NULL)),
      window_(std::exchange(other.window_, MPI_WIN_NULL)),
      of_root_(std::move(other.of_root_)),
      bytes_(std::exchange(other.bytes_, {})) {}

SharedWindow& SharedWindow::operator=(SharedWindow&& other) noexcept {
  std::swap(node_, other.node_);
  std::swap(window_, other.window_);
  std::swap(of_root_, other.of_root_);
  std::swap(bytes_, other.bytes_);
  return *this;
}

void SharedWindow::fence() const {
  const auto synchronize = [this] {
    if (window_ != MPI_WIN_NULL) check(MPI_Win_sync(window_), "MPI_Win_sync");
  };
  synchronize();
  check(MPI_Barrier(node_), "MPI_Barrier");
  synchronize();
}

}  // namespace lockstep::comm
