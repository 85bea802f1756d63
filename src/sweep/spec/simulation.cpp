// SPDX-License-Identifier: BSD-3-Clause
// What fits a simulated cluster, and how results there are called.
#include "sweep/spec/simulation.hpp"

#include <algorithm>
#include <cctype>

#include <fmt/format.h>

#include "core/error.hpp"
#include "core/text.hpp"

namespace lockstep::sweep {

std::string Simulation::folder_ending() const {
  std::string ending = "sim-" + cluster;
  for (const std::string& option : options) {
    ending += '-';
    for (const char c : option.substr(std::min(option.find_first_not_of('-'), option.size())))
      ending += std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '.' || c == '_' ? c : '-';
  }
  return ending;
}

void Simulation::check(std::size_t ranks, std::size_t nodes) const {
  if (most_ranks != 0 && ranks > most_ranks)
    throw ConfigError({"too many ranks for the simulated cluster " + cluster,
                       fmt::format("at most {}, most_ranks in {}", most_ranks, file), plural(ranks, "rank"),
                       "fewer ranks, or a larger cluster in a file of your own"});
  const std::size_t filled = (ranks + cores_per_node - 1) / cores_per_node;
  if (nodes != 0 && nodes != filled)
    throw ConfigError({"ranks fill the nodes of the simulated cluster " + cluster + " one after another",
                       fmt::format("nodes {} for {}: cores_per_node is {} in {}", filled,
                                   plural(ranks, "rank"), cores_per_node, file),
                       fmt::format("nodes {}", nodes),
                       "no \"nodes\", or another cores_per_node in a file of your own"});
}

Json to_json(const Simulation& simulation) {
  return {{"site", simulation.site},
          {"cluster", simulation.cluster},
          {"file", simulation.file},
          {"options", simulation.options},
          {"identity", simulation.identity}};
}

Simulation simulation_from(const Json& json) {
  return {.site = json.at("site"),
          .cluster = json.at("cluster"),
          .file = json.at("file"),
          .options = json.at("options"),
          .identity = json.at("identity")};
}

}  // namespace lockstep::sweep
