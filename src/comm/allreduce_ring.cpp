// SPDX-License-Identifier: BSD-3-Clause
// The ring allreduce.
#include "comm/allreduce_algorithms.hpp"
#include "comm/reduce_scatter.hpp"

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
      : comm_(comm), reduce_scatter_(make_ring_reduce_scatter(comm, max_length)) {}

  void sum(std::span<float> inout) override {
    reduce_scatter_->sum(inout);
    ring_allgather(comm_, inout);
  }

  [[nodiscard]] std::string_view name(std::size_t /*length*/) const override { return "ring"; }
  [[nodiscard]] std::size_t sent_bytes(std::size_t length) const override {
    if (comm_.size() == 1) return 0;
    return reduce_scatter_->sent_bytes(length) + ring_allgather_length(comm_, length) * sizeof(float);
  }

 private:
  const Communicator& comm_;
  std::unique_ptr<ReduceScatter> reduce_scatter_;
};

}  // namespace

std::unique_ptr<Allreduce> make_ring_allreduce(const Communicator& comm, std::size_t max_length) {
  return std::make_unique<RingAllreduce>(comm, max_length);
}

}  // namespace lockstep::comm
