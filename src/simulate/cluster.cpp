// SPDX-License-Identifier: BSD-3-Clause
// Reading a cluster's file.
#include "simulate/cluster.hpp"

#include <filesystem>

#include <fmt/format.h>

#include "core/error.hpp"
#include "core/home.hpp"
#include "core/json.hpp"
#include "core/json_text.hpp"
#include "simulate/quantities.hpp"

namespace lockstep::simulate {
namespace {

void fill(Cluster& cluster, const Json& given) {
  Json network = Json::object(), trouble = Json::object(), fit = Json::object();
  Options options;
  cluster.describe(options);
  options.add("network", &network, "how nodes are linked");
  options.add("trouble", &trouble, "what goes wrong");
  options.add("fit", &fit, "how well the numbers fit what was measured: for people");
  options.set(given, "key");
  for (const char* key : {"name", "alpha_s", "beta_s_per_byte"})
    if (!given.contains(key)) throw ConfigError({.what = std::string("no value for ") + key});
  in_context("network", [&] { cluster.network.read(network, cluster.alpha_s, cluster.beta_s_per_byte); });
  in_context("trouble", [&] { cluster.trouble.read(trouble); });
  if (cluster.trouble.delays_messages() && cluster.alpha_s == 0.0)
    throw ConfigError({"bad value for alpha_s", "above 0 where links lose or delay messages", "0"});
  if (const std::size_t held = cluster.network.most_nodes() * cluster.cores_per_node; held > 0) {
    if (cluster.most_ranks > held)
      throw ConfigError({"bad value for most_ranks",
                         fmt::format("at most {}, the cores of the network", held),
                         std::to_string(cluster.most_ranks)});
    if (cluster.most_ranks == 0) cluster.most_ranks = held;
  }
}

}  // namespace

void Cluster::describe(Options& options) {
  options.add("name", &name, "what cluster this is").not_empty();
  options.add("source", &source, "where its numbers are from");
  add_count(options, "cores_per_node", &cores_per_node, "ranks that a node holds, one a core");
  options.add("most_ranks", &most_ranks, "ranks that all nodes hold; 0: as many as asked for")
      .at_most(most_things);
  add_seconds(options, "alpha_s", &alpha_s, "seconds of an empty message between nodes");
  add_seconds_per_byte(options, "beta_s_per_byte", &beta_s_per_byte, "seconds of each byte between nodes");
  add_seconds(options, "send_overhead_s", &send_overhead_s,
              "a core's seconds for each message that it sends");
  add_seconds(options, "receive_overhead_s", &receive_overhead_s, "and that it receives");
  add_seconds(options, "memory_alpha_s", &memory_alpha_s, "seconds of an empty message within a node");
  add_seconds_per_byte(options, "memory_beta_s_per_byte", &memory_beta_s_per_byte,
                       "seconds of each byte within a node");
  add_ratio(options, "core_speed", &core_speed, "of a core, in those of the machine that simulates");
}

Json Cluster::values() const {
  Cluster copy = *this;
  Options options;
  copy.describe(options);
  Json values = options.values();
  values["network"] = network.values();
  values["trouble"] = trouble.values();
  return values;
}

Cluster read_cluster(const std::string& name_or_path) {
  const std::filesystem::path path = find_json_file("cluster", name_or_path, "jobs/clusters");
  const Json given = read_json_file(path);
  Cluster cluster;
  in_context(path.string(), [&] { cluster = cluster_from(given); });
  cluster.stem = path.stem();
  return cluster;
}

Cluster cluster_from(const Json& given) {
  if (!given.is_object())
    throw ConfigError({.what = "it holds no cluster", .expected = "a JSON object: {\"name\": ...}"});
  Cluster cluster;
  fill(cluster, given);
  return cluster;
}

}  // namespace lockstep::simulate
