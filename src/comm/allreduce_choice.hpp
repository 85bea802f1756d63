// SPDX-License-Identifier: BSD-3-Clause
// Which allreduce is the fastest at which length: a race of candidates, and the rule that judges it.
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "comm/allreduce.hpp"
#include "comm/communicator.hpp"

namespace lockstep::comm {

/// A row of the table that may be chosen.
struct RaceEntry {
  const AllreduceRow* row = nullptr;
  std::unique_ptr<Allreduce> allreduce;
};

/// For arrays of up to `up_to` floats (and longer than those of the range before): entry number `winner`.
struct RaceRange {
  std::size_t up_to = 0;
  std::size_t winner = 0;
};

/// The lengths at which candidates are compared: max_length, a quarter of it, and so on down to 16 floats.
/// From there on latency decides, which 16 floats show as well.
[[nodiscard]] std::vector<std::size_t> race_lengths(std::size_t max_length);

/// The winner, by times of the slowest rank. Noise should not make neighbouring lengths differ, and the MPI
/// library's own allreduce is preferred if it is as good: the winner at the length before stays if it is
/// within 10% of the fastest and 5% of entry 0, `mpi`. Otherwise entry 0 wins if it is within 5% of the
/// fastest.
[[nodiscard]] std::size_t pick_winner(std::span<const double> time_s, std::size_t winner_before);

/// True for an entry that cannot win at shorter lengths: it takes more than four times as long as the
/// fastest, and hardly less than at four times the length, so its time is latency.
[[nodiscard]] bool is_hopeless(double time_s, double time_at_longer_s, double fastest_s);

/// Times all entries at race_lengths(max_length), in turns, and returns the ranges of winners, ascending; the
/// last one is up to max_length. The same on all ranks, since the slowest rank's times decide. Collective.
/// Takes, for every length, a first round and then 1 ms (at most 9 rounds), but 5 rounds at least.
[[nodiscard]] std::vector<RaceRange> race(const Communicator& comm, std::span<const RaceEntry> entries,
                                          std::size_t max_length);

}  // namespace lockstep::comm
