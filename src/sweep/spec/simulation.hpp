// SPDX-License-Identifier: BSD-3-Clause
// What a sweep knows of the simulated cluster that its runs are made on.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "core/json.hpp"

namespace lockstep::sweep {

/// A simulated cluster, on which ranks fill node after node.
struct Simulation {
  std::string site;                       ///< the words that ask for it: "sim:NAME", and options
  std::string cluster;                    ///< as run files call it
  std::string file;                       ///< of the cluster: an absolute path
  std::size_t cores_per_node = 1;         ///< ranks that a node holds
  std::size_t most_ranks = 0;             ///< that all nodes hold; 0: as many as anybody asks for
  std::vector<std::string> options = {};  ///< further ones of the program `simulate`
  /// What simulated times depend on, keys in alphabetical order: the values of the cluster's file that differ
  /// from the defaults, and the options.
  nlohmann::json identity = {};

  /// "sim-NAME", with the options if there are any: the end of the name of the folder of results.
  [[nodiscard]] std::string folder_ending() const;
  /// Throws ConfigError for more ranks than the cluster holds, and for `nodes` (0: any) on which they would
  /// not lie.
  void check(std::size_t ranks, std::size_t nodes) const;
};

/// For a sweep's manifest: what is needed to find its runs and to go on with them, which is not the number of
/// cores.
[[nodiscard]] Json to_json(const Simulation& simulation);
[[nodiscard]] Simulation simulation_from(const Json& json);

}  // namespace lockstep::sweep
