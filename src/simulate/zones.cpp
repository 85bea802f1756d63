// SPDX-License-Identifier: BSD-3-Clause
// Each node is a zone: cores, the memory between them, and a cable to the network outside.
#include "simulate/zones.hpp"

#include <algorithm>
#include <functional>
#include <string>
#include <utility>

#include <fmt/format.h>

#include "simulate/course.hpp"
#include "simulate/profiles.hpp"

namespace lockstep::simulate {
namespace {

namespace s4u = simgrid::s4u;
using NetPoint = simgrid::kernel::routing::NetPoint;
using Links = std::vector<s4u::LinkInRoute>;

constexpr const char* node_property = "node";

class Builder {
 public:
  Builder(const Cluster& cluster, std::size_t ranks)
      : cluster_(cluster),
        network_(cluster.network),
        ranks_(ranks),
        nodes_(ceil_of(ranks, cluster.cores_per_node)) {}

  Zones build() {
    if (network_.topology == "fat_tree") {
      zones_.root = fat_tree();
    } else if (network_.topology == "dragonfly") {
      zones_.root = dragonfly();
    } else if (network_.topology == "torus") {
      zones_.root = torus();
    } else if (network_.topology == "wide_area") {
      zones_.root = wide_area();
    } else {
      zones_.root = s4u::create_star_zone("cluster");
      fill_star(zones_.root, 0, nodes_);
    }
    zones_.root->seal();
    return std::move(zones_);
  }

 private:
  static std::size_t ceil_of(std::size_t a, std::size_t b) { return (a + b - 1) / b; }

  [[nodiscard]] s4u::Link::SharingPolicy sharing() const {
    return network_.links == "full_duplex" ? s4u::Link::SharingPolicy::SPLITDUPLEX
                                           : s4u::Link::SharingPolicy::SHARED;
  }
  [[nodiscard]] double link_bandwidth() const {
    return 1.0 /
           (network_.link_beta_s_per_byte > 0.0 ? network_.link_beta_s_per_byte : cluster_.beta_s_per_byte);
  }
  [[nodiscard]] s4u::ClusterCallbacks callbacks() {
    return s4u::ClusterCallbacks([this](s4u::NetZone* zone, const std::vector<unsigned long>&,
                                        unsigned long id) { return node(zone, id); });
  }

  Links link(s4u::NetZone* zone, const std::string& name, double bandwidth, double latency_s,
             const Course& course) {
    if (sharing() == s4u::Link::SharingPolicy::SHARED) {
      auto* const both = zone->create_link(name, bandwidth)->set_latency(latency_s);
      follow(*both, course);
      return {s4u::LinkInRoute(both->seal())};
    }
    auto* const split = zone->create_split_duplex_link(name, bandwidth);
    split->set_latency(latency_s);
    for (s4u::Link* direction : {split->get_link_up(), split->get_link_down()}) follow(*direction, course);
    split->seal();
    return {s4u::LinkInRoute(split, s4u::LinkInRoute::Direction::UP)};
  }

  // Returns the node's zone and its way out.
  std::pair<NetPoint*, NetPoint*> node(s4u::NetZone* parent, std::size_t index) {
    const std::string name = "node-" + std::to_string(index);
    auto* const zone = s4u::create_full_zone(name)->set_parent(parent);
    NetPoint* const way_out = zone->create_router(name + "-router");
    const std::size_t first = index * cluster_.cores_per_node;
    if (first < ranks_) add_cores(zone, index, std::min(cluster_.cores_per_node, ranks_ - first), way_out);
    zone->seal();
    return {zone->get_netpoint(), way_out};
  }

  void add_cores(s4u::NetZone* zone, std::size_t index, std::size_t count, NetPoint* way_out) {
    const std::string& name = zone->get_name();
    // Half of the latency lies on either end, but for that of the links between switches.
    const double inner_s = static_cast<double>(network_.nearest_hops()) * network_.hop_s;
    const Links outwards =
        link(zone, name + "-cable", 1.0 / cluster_.beta_s_per_byte, (cluster_.alpha_s - inner_s) / 2.0,
             Course::of_cable(cluster_.trouble, index));
    const Links memory = {
        s4u::LinkInRoute(zone->create_link(name + "-memory", 1.0 / cluster_.memory_beta_s_per_byte)
                             ->set_sharing_policy(s4u::Link::SharingPolicy::FATPIPE)
                             ->set_latency(cluster_.memory_alpha_s)
                             ->seal())};
    std::vector<NetPoint*> cores;
    for (std::size_t c = 0; c < count; ++c) {
      s4u::Host* const core = zone->create_host(fmt::format("{}.{}", name, c), cluster_.core_speed);
      follow(*core, Course::of_core(cluster_.trouble, index, zones_.cores.size()));
      core->set_property(node_property, std::to_string(index));
      NetPoint* const point = core->seal()->get_netpoint();
      zone->add_route(point, way_out, nullptr, nullptr, outwards, true);
      zone->add_route(point, point, nullptr, nullptr, memory, false);
      for (NetPoint* other : cores) zone->add_route(point, other, nullptr, nullptr, memory, true);
      cores.push_back(point);
      zones_.cores.push_back(core);
    }
  }

  void fill_star(s4u::NetZone* star, std::size_t first, std::size_t count) {
    for (std::size_t i = first; i < first + count; ++i) {
      const auto [zone, way_out] = node(star, i);
      star->add_route(zone, nullptr, way_out, nullptr, Links(), true);
    }
  }

  s4u::NetZone* fat_tree() {
    const auto per_switch = static_cast<unsigned>(network_.nodes_per_switch);
    const auto up = static_cast<unsigned>(network_.uplinks(cluster_.beta_s_per_byte));
    const auto switches = static_cast<unsigned>(ceil_of(nodes_, network_.nodes_per_switch));
    const auto per_pod = static_cast<unsigned>(network_.switches_per_pod);
    std::vector<unsigned> down = {per_switch, switches}, upwards = {1, up};
    if (per_pod > 0) {  // the pods' switches have as many links upwards as downwards
      down = {per_switch, per_pod, (switches + per_pod - 1) / per_pod};
      upwards.push_back(per_pod);
    }
    const auto levels = static_cast<unsigned>(down.size());
    const s4u::FatTreeParams parameters(levels, down, upwards, std::vector<unsigned>(levels, 1));
    return s4u::create_fatTree_zone("cluster", nullptr, parameters, callbacks(), link_bandwidth(),
                                    network_.hop_s, sharing());
  }

  s4u::NetZone* dragonfly() {
    const auto number = [](std::size_t n) { return static_cast<unsigned>(n); };
    const s4u::DragonflyParams parameters({number(network_.groups), number(network_.links_between_groups)},
                                          {1, 1}, {number(network_.routers_per_group), 1},
                                          number(network_.nodes_per_router));
    return s4u::create_dragonfly_zone("cluster", nullptr, parameters, callbacks(), link_bandwidth(),
                                      network_.hop_s, sharing());
  }

  s4u::NetZone* torus() {
    return s4u::create_torus_zone("cluster", nullptr, network_.torus_dimensions(), callbacks(),
                                  link_bandwidth(), network_.hop_s, sharing());
  }

  // Sites around a centre, each with a link to it.
  s4u::NetZone* wide_area() {
    auto* const root = s4u::create_star_zone("wide-area");
    const std::size_t per_site =
        network_.nodes_per_site > 0 ? network_.nodes_per_site : ceil_of(nodes_, network_.sites);
    for (std::size_t s = 0; s * per_site < nodes_; ++s) {
      const std::string name = "site-" + std::to_string(s);
      auto* const site = s4u::create_star_zone(name)->set_parent(root);
      // A zone of its own, as each node is: SimGrid finds no way from a zone to a router beside it.
      auto* const exit = s4u::create_full_zone(name + "-exit")->set_parent(site);
      NetPoint* const way_out = exit->create_router(name + "-router");
      exit->seal();
      site->add_route(exit->get_netpoint(), nullptr, way_out, nullptr, Links(), true);
      fill_star(site, s * per_site, std::min(per_site, nodes_ - s * per_site));
      site->seal();
      root->add_route(
          site->get_netpoint(), nullptr, way_out, nullptr,
          link(root, name + "-link", 1.0 / network_.wan_beta_s_per_byte, network_.wan_alpha_s / 2.0, {}),
          true);
    }
    return root;
  }

  const Cluster& cluster_;
  const Network& network_;
  std::size_t ranks_, nodes_;
  Zones zones_;
};

}  // namespace

Zones make_zones(const Cluster& cluster, std::size_t ranks) { return Builder(cluster, ranks).build(); }

std::size_t node_of(const s4u::Host& core) { return std::stoul(core.get_property(node_property)); }

}  // namespace lockstep::simulate
