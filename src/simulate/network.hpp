// SPDX-License-Identifier: BSD-3-Clause
// The network between a cluster's nodes, as its file describes it.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "core/json_fwd.hpp"

namespace lockstep::simulate {

/// The keys of the file's "network"; docs/simulation.md explains them. A topology has keys of its own.
struct Network {
  std::string topology = "flat";
  std::string links = "full_duplex";  ///< or "half_duplex": both directions share the bandwidth
  double hop_s = 0.0;                 ///< latency of a link between switches (torus: of every link)
  double link_beta_s_per_byte = 0.0;  ///< of such a link; 0: as of a node

  std::size_t nodes_per_switch = 16;  ///< fat_tree
  double oversubscription = 1.0;      ///< nodes' bandwidth, over that of the switch's links upwards
  std::size_t switches_per_pod = 0;   ///< 0: two levels of switches; else three

  std::size_t groups = 1;  ///< dragonfly
  std::size_t routers_per_group = 1;
  std::size_t nodes_per_router = 1;
  std::size_t links_between_groups = 1;  ///< of each pair

  std::string dimensions = "1";  ///< torus: "4x4x8"

  std::size_t sites = 2;             ///< wide_area: flat clusters; the nodes of a job are spread evenly
  std::size_t nodes_per_site = 0;    ///< 0: as many as asked for
  double wan_alpha_s = 0.0;          ///< beyond alpha_s, of a message between sites
  double wan_beta_s_per_byte = 0.0;  ///< of a site's link, each way; its nodes share it

  /// Takes the file's "network" in a cluster whose nodes have this alpha and beta. Throws ConfigError.
  void read(const Json& given, double alpha_s, double beta_s_per_byte);
  /// Every key that counts for this topology, with its value.
  [[nodiscard]] Json values() const;

  /// Nodes that the network has room for; 0: as many as asked for.
  [[nodiscard]] std::size_t most_nodes() const;
  /// fat_tree: a switch's links upwards.
  [[nodiscard]] std::size_t uplinks(double beta_s_per_byte) const;
  [[nodiscard]] std::vector<unsigned long> torus_dimensions() const;
  /// Links beyond the nodes' own that a message between the nearest nodes passes, each of them hop_s long.
  [[nodiscard]] std::size_t nearest_hops() const;
};

}  // namespace lockstep::simulate
