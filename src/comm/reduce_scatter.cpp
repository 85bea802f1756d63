// SPDX-License-Identifier: BSD-3-Clause
// Reduce-scatter around a ring.
#include "comm/reduce_scatter.hpp"

#include "core/aligned.hpp"

namespace lockstep::comm {
namespace {

class RingReduceScatter final : public ReduceScatter {
 public:
  RingReduceScatter(const Communicator& comm, std::size_t max_length)
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
  }

  [[nodiscard]] std::size_t sent_bytes(std::size_t length) const override {
    return (length - slices_length(length, comm_.size(), kept_slice(comm_))) * sizeof(float);
  }

 private:
  const Communicator& comm_;
  std::size_t max_length_;
  AlignedVector<float> incoming_;  // one slice
};

}  // namespace

std::unique_ptr<ReduceScatter> make_ring_reduce_scatter(const Communicator& comm, std::size_t max_length) {
  return std::make_unique<RingReduceScatter>(comm, max_length);
}

void ring_allgather(const Communicator& comm, std::span<float> inout) {
  ring_allgather_slices(comm, [&](std::size_t k) { return slices(inout, comm.size(), k); });
}

std::size_t ring_allgather_length(const Communicator& comm, std::size_t length) {
  return length - slices_length(length, comm.size(), (comm.rank() + 2) % comm.size());
}

}  // namespace lockstep::comm
