// SPDX-License-Identifier: BSD-3-Clause
// Measures messages, memory and noise of the nodes that a job runs on. What takes ranks is collective.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "comm/communicator.hpp"
#include "simulate/line_fit.hpp"

namespace lockstep::simulate {

/// Of this machine; 0 if the system does not tell.
[[nodiscard]] std::size_t cores_here();

/// Which ranks share a node's memory.
struct Layout {
  std::vector<std::vector<std::size_t>> nodes;  ///< [node]: its ranks; both in the order of ranks
  std::vector<std::string> hosts;               ///< [rank]; on rank 0 alone
  std::size_t cores = 0;                        ///< cores_here() of the node that has fewest
};
[[nodiscard]] Layout layout_of(const comm::Communicator& ranks);

/// Two ranks that send messages to each other.
struct Pair {
  std::size_t first = 0, second = 0;
};

enum class Way { ping_pong, both_ways };

/// Seconds of a message of `bytes` (a multiple of 4) on each of the pairs, all at once: half a round trip, or
/// an exchange of one message each way. Measures for about `seconds`, and at least seven times. A rank is in
/// one pair at most. The same on all ranks: [pair].
[[nodiscard]] std::vector<Quartiles> time_messages(const comm::Communicator& ranks,
                                                   std::span<const Pair> pairs, std::size_t bytes, Way way,
                                                   double seconds);

/// A pass over arrays that are much longer than the caches.
struct Stream {
  std::string_view name;
  std::string_view help;
  double bytes_per_float;  ///< read and written for each element
  void (*pass)(std::span<float> to, std::span<const float> from);
};
[[nodiscard]] std::span<const Stream> streams();

/// Bytes a second of each rank, 0 for those that rest, on rank 0: [rank]. Either rank 0 streams alone, or all
/// do at once.
[[nodiscard]] std::vector<double> stream_rates(const comm::Communicator& ranks, const Stream& stream,
                                               bool all_at_once, double seconds);

/// How much the time of the same work varies. Times are those of quanta, about a millisecond of a small
/// matrix product.
struct Noise {
  std::size_t quanta = 0;        ///< that each rank worked
  double quantum_s = 0.0;        ///< median of all
  double cv = 0.0;               ///< standard deviation over mean of a rank's times; of all ranks the median
  double p99 = 0.0;              ///< 99th percentile of a time over its rank's median
  double largest = 0.0;          ///< the same
  double mean_delay = 0.0;       ///< of x, where a quantum took 1 + x of its rank's median, or 0
  double delay_cv = 0.0;         ///< standard deviation of x over its mean; 0 without any delay
  std::vector<double> speeds{};  ///< [rank]: in that of the median rank
};

/// [rank][i]: seconds of its i-th quantum; all ranks have equally many.
[[nodiscard]] Noise noise_of(const std::vector<std::vector<double>>& seconds);

/// All ranks work the same quanta at once, each by itself, for about `seconds`. On rank 0: [rank][i].
[[nodiscard]] std::vector<std::vector<double>> time_quanta(const comm::Communicator& ranks, double seconds);

}  // namespace lockstep::simulate
