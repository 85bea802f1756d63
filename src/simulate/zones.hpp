// SPDX-License-Identifier: BSD-3-Clause
// A cluster's cores and links, as SimGrid's zones, with what goes wrong with each.
#pragma once

#include <cstddef>
#include <vector>

#include <simgrid/s4u.hpp>

#include "simulate/cluster.hpp"

namespace lockstep::simulate {

struct Zones {
  simgrid::s4u::NetZone* root = nullptr;
  std::vector<simgrid::s4u::Host*> cores;  ///< one a rank, node after node; each a host of its own
};

/// Makes as many nodes as the topology has, or as `ranks` need, and closes it.
[[nodiscard]] Zones make_zones(const Cluster& cluster, std::size_t ranks);

/// The number of a core's node.
[[nodiscard]] std::size_t node_of(const simgrid::s4u::Host& core);

}  // namespace lockstep::simulate
