// SPDX-License-Identifier: BSD-3-Clause
// Datagrams between the nodes of a job about what their ranks do, for when MPI itself is stuck.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "comm/communicator.hpp"
#include "watch/stall.hpp"

namespace lockstep::watch {

/// A socket of UDP for one rank of each node. The first node's, the centre, hears what all ranks do and
/// answers each node, which so knows that the centre is alive. Datagrams may be lost: the next one says it
/// again.
/// Each carries the job's secret number, and others are ignored. All functions but make() are for the
/// watchdog's thread.
class Channel {
 public:
  /// nullptr on ranks that need none, and where the system gives no socket. `node` is this rank's node; of
  /// each node rank 0 gets a channel. Collective over `ranks`.
  static std::unique_ptr<Channel> make(const comm::Communicator& ranks, const comm::Communicator& node);
  ~Channel();
  Channel(const Channel&) = delete;
  Channel& operator=(const Channel&) = delete;

  [[nodiscard]] bool is_centre() const { return is_centre_; }
  /// For nodes other than the centre: sends what the node's ranks do.
  void report(std::span<const RankView> ranks);
  /// For nodes other than the centre: whether it has answered since the last call.
  [[nodiscard]] bool is_answered();
  /// For the centre: takes what came in, and answers each sender. Returns the views received.
  [[nodiscard]] std::vector<RankView> collect();

 private:
  Channel(int socket, std::uint64_t secret) : socket_(socket), secret_(secret) {}

  int socket_;
  std::uint64_t secret_;
  bool is_centre_ = false;
  std::vector<std::uint32_t> targets_;  // IPv4 addresses of the centre, in network order
  std::uint16_t port_ = 0;              // in network order
};

}  // namespace lockstep::watch
