// SPDX-License-Identifier: BSD-3-Clause
// The ring allreduce.
#include "comm/allreduce_algorithms.hpp"
#include "comm/transfer.hpp"
#include "core/aligned.hpp"

namespace lockstep::comm {
namespace {

/// Ring allreduce: sums `inout` over all ranks, in place. Collective.
/// Reduce-scatter, then allgather, each passing P slices around the ring; one rank sums a slice and all
/// others copy it, so results are bitwise the same. Steps: 2(P-1). Sent per rank: 2(P-1)/P * bytes. Any P,
/// any length. Reference: Patarasuk and Yuan, "Bandwidth optimal all-reduce algorithms for clusters of
/// workstations", 2009.
class RingAllreduce final : public Allreduce {
 public:
  RingAllreduce(const Communicator& comm, std::size_t max_length)
      : comm_(comm), max_length_(max_length), incoming_(slices_length(max_length, comm.size(), 0)) {
    (void)to_mpi_int(incoming_.size(), "floats in a message");
  }

  void sum(std::span<float> inout) override {
    check_length(inout.size(), max_length_);
    const std::size_t ranks = comm_.size();
    const std::size_t rank = comm_.rank();
    const std::size_t next = (rank + 1) % ranks;
    const std::size_t previous = (rank + ranks - 1) % ranks;

    // Slice k starts at rank k and gathers every rank's part on its way to rank k-1, where it is complete.
    for (std::size_t step = 0; step + 1 < ranks; ++step) {
      const std::span<float> out = slices(inout, ranks, (rank + ranks - step) % ranks);
      const std::span<float> own = slices(inout, ranks, (previous + ranks - step) % ranks);
      const std::span<float> in = std::span(incoming_).first(own.size());
      exchange(comm_, out, next, in, previous);
      add(own, in);
    }
    // Complete slices go once more around.
    for (std::size_t step = 0; step + 1 < ranks; ++step) {
      const std::span<float> out = slices(inout, ranks, (next + ranks - step) % ranks);
      const std::span<float> in = slices(inout, ranks, (rank + ranks - step) % ranks);
      exchange(comm_, out, next, in, previous);
    }
  }

  [[nodiscard]] std::size_t sent_bytes(std::size_t length) const override {
    const std::size_t ranks = comm_.size();
    if (ranks == 1) return 0;
    // Everything twice, but for the slice that ends here and the one that the next rank has already.
    const std::size_t kept = slices_length(length, ranks, (comm_.rank() + 1) % ranks) +
                             slices_length(length, ranks, (comm_.rank() + 2) % ranks);
    return (2 * length - kept) * sizeof(float);
  }

 private:
  const Communicator& comm_;
  std::size_t max_length_;
  AlignedVector<float> incoming_;  // one slice
};

}  // namespace

std::unique_ptr<Allreduce> make_ring_allreduce(const Communicator& comm, std::size_t max_length) {
  return std::make_unique<RingAllreduce>(comm, max_length);
}

}  // namespace lockstep::comm
