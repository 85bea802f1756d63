// SPDX-License-Identifier: BSD-3-Clause
// Reading a cluster's file.
#include "simulate/cluster.hpp"

#include <filesystem>

#include "core/error.hpp"
#include "core/home.hpp"
#include "core/json.hpp"
#include "core/json_text.hpp"

namespace lockstep::simulate {

void Cluster::describe(Options& options) {
  options.add("name", &name, "what cluster this is").not_empty();
  options.add("source", &source, "where its numbers are from");
  options.add("cores_per_node", &cores_per_node, "ranks that a node holds, one a core").at_least(1);
  options.add("most_ranks", &most_ranks, "ranks that all nodes hold; 0: as many as asked for");
  options.add("alpha_s", &alpha_s, "seconds of an empty message between nodes").at_least(0);
  options.add("beta_s_per_byte", &beta_s_per_byte, "seconds of each byte between nodes").above(0);
  options.add("memory_alpha_s", &memory_alpha_s, "seconds of an empty message within a node").at_least(0);
  options.add("memory_beta_s_per_byte", &memory_beta_s_per_byte, "seconds of each byte within a node")
      .above(0);
  options.add("core_speed", &core_speed, "of a core, in those of the machine that simulates").above(0);
}

Cluster read_cluster(const std::string& name_or_path) {
  const std::filesystem::path path = find_json_file("cluster", name_or_path, "jobs/clusters");
  const Json given = read_json_file(path);
  Cluster cluster;
  cluster.stem = path.stem();
  in_context(path.string(), [&] {
    if (!given.is_object())
      throw ConfigError({.what = "it holds no cluster", .expected = "a JSON object: {\"name\": ...}"});
    Options options;
    cluster.describe(options);
    Json fit;  // for people alone
    options.add("fit", &fit, "how well the numbers fit what was measured");
    options.set(given, "key");
    for (const char* key : {"name", "alpha_s", "beta_s_per_byte"})
      if (!given.contains(key)) throw ConfigError({.what = std::string("no value for ") + key});
  });
  return cluster;
}

}  // namespace lockstep::simulate
