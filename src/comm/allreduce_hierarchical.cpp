// SPDX-License-Identifier: BSD-3-Clause
// The allreduce in two levels: within nodes, and between them.
#include <utility>

#include "comm/allreduce_algorithms.hpp"
#include "comm/node_reduce.hpp"
#include "comm/transfer.hpp"

namespace lockstep::comm {
namespace {

/// Hierarchical allreduce: sums `inout` over all ranks, in place. Collective.
/// A node's ranks sum to their leader through shared memory, the M leaders sum among each other by
/// Rabenseifner's algorithm, and each leader gives the result to its node through shared memory; so results
/// are bitwise the same. Steps: those of NodeReduce twice, 2 lg M between nodes, and 2 more where M is no
/// power of two. Sent: 2(M-1)/M * bytes per leader between nodes (once more at most where M is no power of
/// two); copied to memory that others read: bytes per rank, and bytes more per leader. Any P, any length,
/// nodes of different sizes. Reference: Graham and Shipman, "MPI support for multi-core architectures:
/// optimized shared memory collectives", 2008; Thakur, Rabenseifner and Gropp, 2005.
class HierarchicalAllreduce final : public Allreduce {
 public:
  HierarchicalAllreduce(const Communicator& comm, Communicator node, std::size_t max_length)
      : max_length_(max_length),
        node_(std::move(node)),
        leaders_(comm.split(node_.is_root() ? 0 : 1)),
        node_reduce_(node_, max_length),
        between_nodes_(node_.is_root() ? make_rabenseifner_allreduce(leaders_, max_length) : nullptr) {}

  void sum(std::span<float> inout) override {
    check_length(inout.size(), max_length_);
    node_reduce_.sum(inout, NodeReduce::Receivers::root);
    if (between_nodes_) between_nodes_->sum(inout);
    node_reduce_.broadcast(inout);
  }

  [[nodiscard]] std::string_view name(std::size_t /*length*/) const override { return "hierarchical"; }
  [[nodiscard]] std::size_t sent_bytes(std::size_t length) const override {
    return node_reduce_.sum_bytes(length) + (between_nodes_ ? between_nodes_->sent_bytes(length) : 0) +
           node_reduce_.broadcast_bytes(length);
  }

 private:
  std::size_t max_length_;
  Communicator node_;
  Communicator leaders_;  // on other ranks unused
  NodeReduce node_reduce_;
  std::unique_ptr<Allreduce> between_nodes_;  // leaders only
};

}  // namespace

std::unique_ptr<Allreduce> make_hierarchical_allreduce(const Communicator& comm, Communicator node,
                                                       std::size_t max_length) {
  return std::make_unique<HierarchicalAllreduce>(comm, std::move(node), max_length);
}

std::unique_ptr<Allreduce> make_hierarchical_allreduce(const Communicator& comm, std::size_t max_length) {
  return make_hierarchical_allreduce(comm, comm.node(), max_length);
}

}  // namespace lockstep::comm
