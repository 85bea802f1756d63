// SPDX-License-Identifier: BSD-3-Clause
// A cluster as a file describes it: nodes, and the network between them.
#pragma once

#include <cstddef>
#include <string>

#include "core/json_fwd.hpp"
#include "core/options.hpp"
#include "simulate/network.hpp"
#include "simulate/trouble.hpp"

namespace lockstep::simulate {

/// The keys of the file are the members' names; docs/simulation.md explains them.
struct Cluster {
  std::string stem;    ///< of the file's name, by which results call it; not in the file
  std::string name;    ///< what it is, for people
  std::string source;  ///< where its numbers are from
  std::size_t cores_per_node = 1;
  std::size_t most_ranks = 0;    ///< 0: as many as anybody asks for
  double alpha_s = 0.0;          ///< from one rank to one of another node: of an empty message
  double beta_s_per_byte = 0.0;  ///< and of each byte; the inverse of a node's bandwidth, either way
  double send_overhead_s = 0.0;  ///< a core's time for each message that it sends (LogP's o); beyond alpha
  double receive_overhead_s = 0.0;
  double memory_alpha_s = 5.0e-7;  ///< the same between ranks of a node
  double memory_beta_s_per_byte = 1.0e-10;
  double core_speed = 1.0;  ///< of a core, in those of the machine that simulates
  Network network;
  Trouble trouble;

  /// The keys that have one value.
  void describe(Options& options);
  /// All keys, as in a file.
  [[nodiscard]] Json values() const;
};

/// Reads a path that ends in .json, or jobs/clusters/NAME.json. Throws ConfigError for unknown names and
/// keys, and for wrong values.
[[nodiscard]] Cluster read_cluster(const std::string& name_or_path);

/// What such a file holds; no stem. Throws ConfigError.
[[nodiscard]] Cluster cluster_from(const Json& given);

}  // namespace lockstep::simulate
