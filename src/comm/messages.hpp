// SPDX-License-Identifier: BSD-3-Clause
// Non-blocking messages.
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <vector>

#include "comm/communicator.hpp"

namespace lockstep::comm {

/// Receives from any rank.
inline constexpr std::size_t any_source = static_cast<std::size_t>(-1);

/// A message that has arrived.
struct Arrival {
  std::size_t slot = 0;    ///< as given to receive()
  std::size_t source = 0;  ///< rank
  std::size_t bytes = 0;
};

/// Non-blocking messages of bytes between the ranks of a communicator (MPI_Isend, MPI_Irecv). Buffers must
/// stay where they are, untouched, until their message is done. Each `slot`, a number below the most given at
/// creation, holds one message at a time. Messages with other tags are not seen. Allocates nothing after
/// creation.
class Messages {
 public:
  /// Room for `slots` messages at once; `comm` must outlive the result. All sides use the same `tag`.
  Messages(const Communicator& comm, std::size_t slots, int tag);
  /// Waits for sends, and cancels receives.
  ~Messages();
  Messages(const Messages&) = delete;
  Messages& operator=(const Messages&) = delete;

  void send(std::size_t slot, std::span<const std::byte> out, std::size_t to);
  /// `in` has room for the message, which may be shorter.
  void receive(std::size_t slot, std::span<std::byte> in, std::size_t from);
  /// True if the slot holds no message, or one that is done.
  [[nodiscard]] bool is_done(std::size_t slot);
  /// A message that has arrived since the last call, if any. Its slot is free again.
  [[nodiscard]] std::optional<Arrival> poll();
  /// Waits for all messages.
  void wait_all();

 private:
  const Communicator& comm_;
  int tag_;
  std::vector<MPI_Request> requests_;  // [slot]
  std::vector<bool> receives_;         // [slot]: not yet returned by poll()
};

}  // namespace lockstep::comm
