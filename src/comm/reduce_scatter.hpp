// SPDX-License-Identifier: BSD-3-Clause
// The two halves of an allreduce by slices: every rank gets the sum of one slice; every rank gets all slices.
#pragma once

#include <cstddef>
#include <memory>
#include <span>

#include "comm/codec.hpp"
#include "comm/communicator.hpp"
#include "comm/transfer.hpp"

namespace lockstep::comm {

/// The index of the slice that this rank keeps; an array has one slice for each rank (see slices()).
[[nodiscard]] inline std::size_t kept_slice(const Communicator& comm) {
  return (comm.rank() + 1) % comm.size();
}

/// Sums arrays of floats over the ranks. Each rank keeps the sum of one slice.
class ReduceScatter {
 public:
  virtual ~ReduceScatter() = default;
  /// The kept slice of `inout` becomes the sum over all ranks; the rest is undefined then. Collective: the
  /// same length on all ranks, at most the `max_length` given at creation. Allocates nothing.
  virtual void sum(std::span<float> inout) = 0;
  /// Bytes that this rank sends for an array of `length` floats.
  [[nodiscard]] virtual std::size_t sent_bytes(std::size_t length) const = 0;
};

/// Each slice goes around the ring from the rank after its keeper, and every rank adds its own part. Steps:
/// P-1. Sent per rank: (P-1)/P * bytes. Patarasuk and Yuan, "Bandwidth optimal all-reduce algorithms for
/// clusters of workstations", 2009. Collective; `comm` must outlive the result.
[[nodiscard]] std::unique_ptr<ReduceScatter> make_ring_reduce_scatter(const Communicator& comm,
                                                                      std::size_t max_length);

/// Each rank sends each slice, encoded, to its keeper, which decodes it and adds in floats. So each part is
/// rounded once, and the keeper's own part never. Additions are in the order of ranks, from the keeper on.
/// P-1 messages a rank, all at once. Sent per rank: (P-1)/P * encoded bytes. Collective; `comm` and `codec`
/// must outlive the result.
[[nodiscard]] std::unique_ptr<ReduceScatter> make_encoded_reduce_scatter(const Communicator& comm,
                                                                         const Codec& codec,
                                                                         std::size_t max_length);

/// Kept slices go around the ring until every rank has all. `slice(k)` is the memory of slice k, of floats or
/// of bytes. Steps: P-1. Collective.
template <class SliceOf>
void ring_allgather_slices(const Communicator& comm, const SliceOf& slice) {
  const std::size_t ranks = comm.size();
  const std::size_t rank = comm.rank();
  const std::size_t next = (rank + 1) % ranks;
  const std::size_t previous = (rank + ranks - 1) % ranks;
  for (std::size_t step = 0; step + 1 < ranks; ++step)
    exchange(comm, slice((next + ranks - step) % ranks), next, slice((rank + ranks - step) % ranks),
             previous);
}
/// Of an array of floats. Sent per rank: (P-1)/P * bytes.
void ring_allgather(const Communicator& comm, std::span<float> inout);
/// Floats that this rank sends for an array of `length`: all but the slice that the next rank keeps.
[[nodiscard]] std::size_t ring_allgather_length(const Communicator& comm, std::size_t length);

}  // namespace lockstep::comm
