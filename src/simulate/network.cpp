// SPDX-License-Identifier: BSD-3-Clause
// Topologies: their keys, and what these may be.
#include "simulate/network.hpp"

#include <cmath>
#include <functional>
#include <numeric>
#include <span>

#include <fmt/format.h>

#include "core/json.hpp"
#include "core/names.hpp"
#include "core/options.hpp"
#include "core/text.hpp"
#include "simulate/quantities.hpp"

namespace lockstep::simulate {
namespace {

void describe_switches(Network& n, Options& options) {
  add_seconds(options, "hop_s", &n.hop_s, "latency of a link between switches");
  options.add("link_beta_s_per_byte", &n.link_beta_s_per_byte, "seconds of each byte on it; 0: as of a node")
      .at_least(0)
      .at_most(slowest_s_per_byte);
}

void describe_fat_tree(Network& n, Options& options) {
  describe_switches(n, options);
  add_count(options, "nodes_per_switch", &n.nodes_per_switch, "nodes of a lowest switch");
  add_ratio(options, "oversubscription", &n.oversubscription,
            "a switch's nodes' bandwidth, over its links' upwards");
  options.add("switches_per_pod", &n.switches_per_pod, "of a tree of three levels; 0: it has two")
      .at_most(most_things);
}

void describe_dragonfly(Network& n, Options& options) {
  describe_switches(n, options);
  add_count(options, "groups", &n.groups, "groups of routers");
  add_count(options, "routers_per_group", &n.routers_per_group, "each is linked to all of its group");
  add_count(options, "nodes_per_router", &n.nodes_per_router, "nodes of a router");
  add_count(options, "links_between_groups", &n.links_between_groups, "links of each pair of groups");
}

void describe_torus(Network& n, Options& options) {
  describe_switches(n, options);
  options.add("dimensions", &n.dimensions, "nodes along each dimension, as 4x4x8").not_empty();
}

void describe_wide_area(Network& n, Options& options) {
  options.add("sites", &n.sites, "flat clusters").at_least(2).at_most(most_things);
  options.add("nodes_per_site", &n.nodes_per_site, "nodes of each; 0: as many as asked for")
      .at_most(most_things);
  add_seconds(options, "wan_alpha_s", &n.wan_alpha_s, "seconds beyond alpha_s of a message between sites");
  add_seconds_per_byte(options, "wan_beta_s_per_byte", &n.wan_beta_s_per_byte,
                       "seconds of each byte on a site's link");
}

struct Topology {
  const char* name;
  void (*describe)(Network&, Options&);
  std::vector<const char*> required;
  std::size_t (*most_nodes)(const Network&);
};

std::size_t torus_nodes(const Network& n) {
  const auto dimensions = n.torus_dimensions();
  return std::accumulate(dimensions.begin(), dimensions.end(), std::size_t{1}, std::multiplies<>());
}

const std::vector<Topology>& topologies() {
  static const std::vector<Topology> table = {
      {"flat", [](Network&, Options&) {}, {}, [](const Network&) { return std::size_t{0}; }},
      {"fat_tree", describe_fat_tree, {"nodes_per_switch"}, [](const Network&) { return std::size_t{0}; }},
      {"dragonfly",
       describe_dragonfly,
       {"groups", "routers_per_group", "nodes_per_router"},
       [](const Network& n) { return n.groups * n.routers_per_group * n.nodes_per_router; }},
      {"torus", describe_torus, {"dimensions"}, torus_nodes},
      {"wide_area",
       describe_wide_area,
       {"wan_alpha_s", "wan_beta_s_per_byte"},
       [](const Network& n) { return n.sites * n.nodes_per_site; }},
  };
  return table;
}

const Topology& topology_of(const std::string& name) {
  return find_row(std::span(topologies()), "topology", name);
}

void describe(Network& n, Options& options) {
  options.add("topology", &n.topology, "how nodes are linked").one_of(names_of(std::span(topologies())));
  options.add("links", &n.links, "whether directions share bandwidth").one_of({"full_duplex", "half_duplex"});
  topology_of(n.topology).describe(n, options);
}

// Throws unless SimGrid's topologies can be this one.
void check(const Network& n, double alpha_s, double beta_s_per_byte) {
  if (n.link_beta_s_per_byte > 0.0 && n.link_beta_s_per_byte < fastest_s_per_byte)
    throw ConfigError({"bad value for link_beta_s_per_byte",
                       fmt::format("0, or at least {:g}", fastest_s_per_byte),
                       fmt::format("{:g}", n.link_beta_s_per_byte)});
  if (n.topology == "fat_tree") (void)n.uplinks(beta_s_per_byte);
  // SimGrid links group i to group j through its router j.
  if (n.topology == "dragonfly" && n.groups > n.routers_per_group)
    throw ConfigError({"bad value for groups",
                       fmt::format("at most routers_per_group, {}", n.routers_per_group),
                       std::to_string(n.groups), "one router of a group is linked to one other group"});
  if (const std::size_t nodes = n.most_nodes(); nodes > most_things)
    throw ConfigError(
        {"too many nodes for a simulation", fmt::format("at most {}", most_things), std::to_string(nodes)});
  const double inner_s = static_cast<double>(n.nearest_hops()) * n.hop_s;
  if (inner_s > alpha_s)
    throw ConfigError(
        {"bad value for hop_s",
         fmt::format("at most {:g}: a message between the nearest nodes takes alpha_s, and passes "
                     "{} of such links",
                     alpha_s / static_cast<double>(n.nearest_hops()), n.nearest_hops()),
         fmt::format("{:g}", n.hop_s)});
}

}  // namespace

void Network::read(const Json& given, double alpha_s, double beta_s_per_byte) {
  if (!given.is_object())
    throw ConfigError({"bad value for network", R"(a JSON object: {"topology": ...})", given.dump()});
  {
    Options first;
    first.add("topology", &topology, "").one_of(names_of(std::span(topologies())));
    if (given.contains("topology")) first.find("topology")->set(given.at("topology"));
  }
  Options options;
  describe(*this, options);
  options.set(given, "key of a " + topology + " network");
  for (const char* key : topology_of(topology).required)
    if (!given.contains(key)) throw ConfigError({.what = std::string("no value for ") + key});
  check(*this, alpha_s, beta_s_per_byte);
}

Json Network::values() const {
  Network copy = *this;
  Options options;
  describe(copy, options);
  return options.values();
}

std::size_t Network::most_nodes() const { return topology_of(topology).most_nodes(*this); }

std::size_t Network::uplinks(double beta_s_per_byte) const {
  const double faster = link_beta_s_per_byte == 0.0 ? 1.0 : beta_s_per_byte / link_beta_s_per_byte;
  const double needed = static_cast<double>(nodes_per_switch) / oversubscription / faster;
  const double whole = std::round(needed);
  constexpr double tolerance = 0.02;  // betas are rounded
  if (whole < 1.0 || whole > static_cast<double>(most_things) || std::abs(needed - whole) > tolerance * whole)
    throw ConfigError(
        {"bad value for oversubscription", "one that leaves a whole number of links upwards",
         fmt::format("{}: {:.3g} links for {} nodes", oversubscription, needed, nodes_per_switch)});
  return static_cast<std::size_t>(whole);
}

std::vector<unsigned long> Network::torus_dimensions() const {
  std::vector<unsigned long> all;
  const auto refuse = [&] {
    throw ConfigError({"bad value for dimensions", "whole numbers, at least 1, as 4x4x8", dimensions});
  };
  std::size_t nodes = 1;
  for (const std::string& part : split(dimensions, 'x')) {
    constexpr std::size_t digits = 6;
    if (part.empty() || part.size() > digits || part.find_first_not_of("0123456789") != part.npos) refuse();
    all.push_back(std::stoul(part));
    nodes *= all.back();
    if (all.back() == 0) refuse();
    if (nodes > most_things)
      throw ConfigError(
          {"too many nodes for a simulation", fmt::format("at most {}", most_things), dimensions});
  }
  if (all.empty() || dimensions.ends_with('x')) refuse();
  return all;
}

std::size_t Network::nearest_hops() const {
  if (topology == "torus") return 1;
  return topology == "fat_tree" || topology == "dragonfly" ? 2 : 0;
}

}  // namespace lockstep::simulate
