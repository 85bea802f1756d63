// SPDX-License-Identifier: BSD-3-Clause
// The allreduce through a node's shared memory.
#include <string>

#include "comm/allreduce_algorithms.hpp"
#include "comm/node_reduce.hpp"
#include "comm/transfer.hpp"
#include "core/error.hpp"

namespace lockstep::comm {
namespace {

/// Shared-memory allreduce: sums `inout` over all ranks, in place; all ranks are on one node. Collective.
/// Steps: a wait for each chunk, and one more for long arrays of more than two ranks. Copied to memory that
/// others read, per rank: bytes. Any P, any length. Reference: NodeReduce; reduction by slices after
/// Rabenseifner's reduce-scatter (Thakur, Rabenseifner and Gropp, 2005), with memory for messages.
class SharedMemoryAllreduce final : public Allreduce {
 public:
  SharedMemoryAllreduce(const Communicator& comm, std::size_t max_length)
      : max_length_(max_length), node_reduce_(comm, max_length) {}

  void sum(std::span<float> inout) override {
    check_length(inout.size(), max_length_);
    node_reduce_.sum(inout);
  }

  [[nodiscard]] std::string_view name(std::size_t /*length*/) const override { return "shared_memory"; }
  [[nodiscard]] std::size_t sent_bytes(std::size_t length) const override {
    return node_reduce_.sum_bytes(length);
  }

 private:
  std::size_t max_length_;
  NodeReduce node_reduce_;
};

}  // namespace

std::unique_ptr<Allreduce> make_shared_memory_allreduce(const Communicator& comm, std::size_t max_length) {
  if (const std::size_t on_node = comm.node().size(); on_node < comm.size())
    throw ConfigError(
        {.what = "allreduce 'shared_memory' works on one node only",
         .expected = "all " + std::to_string(comm.size()) + " ranks on one node",
         .got = std::to_string(on_node) + " of them on this one",
         .hint = "take allreduce 'hierarchical': shared memory within a node, messages between nodes"});
  return std::make_unique<SharedMemoryAllreduce>(comm, max_length);
}

}  // namespace lockstep::comm
