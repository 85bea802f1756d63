// SPDX-License-Identifier: BSD-3-Clause
// The table of allreduce algorithms.
#include "comm/allreduce.hpp"

#include <array>

#include "comm/allreduce_algorithms.hpp"
#include "core/names.hpp"

namespace lockstep::comm {
namespace {

constexpr bool on_one_node(const NodeLayout& layout) { return layout.nodes == 1; }
constexpr bool on_shared_nodes(const NodeLayout& layout) {
  return layout.nodes > 1 && layout.nodes < layout.ranks;
}

constexpr std::array table = {
    AllreduceRow{"mpi", "MPI_Allreduce: whatever the MPI library chooses", make_mpi_allreduce},
    AllreduceRow{"ring", "reduce-scatter and allgather around a ring: 2(P-1) steps, fewest bytes",
                 make_ring_allreduce},
    AllreduceRow{"recursive_doubling", "pairs at doubling distance exchange everything: lg P steps",
                 make_recursive_doubling_allreduce},
    AllreduceRow{"rabenseifner", "recursive halving, then doubling: 2 lg P steps, fewest bytes",
                 make_rabenseifner_allreduce},
    AllreduceRow{"shared_memory", "through memory that the ranks share; one node only",
                 make_shared_memory_allreduce, on_one_node},
    AllreduceRow{"hierarchical", "shared memory within a node, rabenseifner between the nodes",
                 make_hierarchical_allreduce, on_shared_nodes},
    AllreduceRow{"auto", "the fastest of these at each length, as measured here at the start",
                 make_auto_allreduce},
};

}  // namespace

std::span<const AllreduceRow> allreduce_table() { return table; }

std::string to_text(const std::vector<AllreduceChoice>& choices) {
  std::vector<std::string> parts;
  for (const AllreduceChoice& choice : choices)
    parts.push_back(std::string(choice.name) + " up to " + std::to_string(choice.up_to_bytes) + " B");
  return join(parts);
}

NodeLayout node_layout(const Communicator& comm) {
  double nodes = comm.node().is_root() ? 1.0 : 0.0;
  comm.sum(std::span(&nodes, 1));
  return {.ranks = comm.size(), .nodes = static_cast<std::size_t>(nodes)};
}

std::unique_ptr<Allreduce> make_allreduce(std::string_view name, const Communicator& comm,
                                          std::size_t max_length) {
  return find_row(allreduce_table(), "allreduce", name).make(comm, max_length);
}

}  // namespace lockstep::comm
