// SPDX-License-Identifier: BSD-3-Clause
// A platform of SimGrid's, and ranks as its actors.
#include "simulate/simulator.hpp"

#include <algorithm>
#include <array>
#include <optional>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <mpi.h>
#include <simgrid/s4u.hpp>
#include <simgrid/version.h>

#include "core/aligned.hpp"
#include "core/json.hpp"
#include "core/json_text.hpp"
#include "core/platform.hpp"
#include "simulate/computing.hpp"

namespace lockstep::simulate {
namespace {

namespace s4u = simgrid::s4u;

constexpr const char* job = "job";

// SimGrid's settings: what the cluster's file says is all that counts.
void configure(const Computing& computing) {
  s4u::Engine::set_config(fmt::format("smpi/simulate-computation:{}", computing.kernels == nullptr));
  for (const auto& [key, value] : {
           std::pair{"network/model", "CM02"},  // a message takes latency + bytes / bandwidth,
           {"network/TCP-gamma", "0"},          // with no window of TCP
           {"network/crosstraffic", "0"},       // and no bytes that acknowledge others,
           {"smpi/coll-selector", "ompi"},      // collectives as Open MPI chooses them,
           {"smpi/host-speed", "1f"},           // and seconds of this machine's cores at work
           {"smpi/cpu-threshold", "0"},         // are counted however short.
           {"smpi/test", "1e-6"},               // Asking whether a message is there takes no 100 us,
           {"smpi/iprobe", "1e-6"},
           {"smpi/privatization", "no"},  // and ranks share the program's variables.
       })
    s4u::Engine::set_config(std::string(key) + ":" + value);
}

std::vector<s4u::Host*> make_nodes(const Cluster& cluster, std::size_t ranks) {
  const std::size_t count = (ranks + cluster.cores_per_node - 1) / cluster.cores_per_node;
  auto* const zone = s4u::create_star_zone("cluster");
  std::vector<s4u::Host*> nodes;
  for (std::size_t i = 0; i < count; ++i) {
    const std::string name = "node-" + std::to_string(i);
    s4u::Host* const node = zone->create_host(name, cluster.core_speed);
    node->set_core_count(static_cast<int>(cluster.cores_per_node))->seal();
    // Sending and receiving do not share a cable; half of the latency lies on either end.
    const auto* const cable = zone->create_split_duplex_link(name + "-cable", 1.0 / cluster.beta_s_per_byte)
                                  ->set_latency(cluster.alpha_s / 2.0)
                                  ->seal();
    const auto* const memory = zone->create_link(name + "-memory", 1.0 / cluster.memory_beta_s_per_byte)
                                   ->set_sharing_policy(s4u::Link::SharingPolicy::FATPIPE)
                                   ->set_latency(cluster.memory_alpha_s)
                                   ->seal();
    zone->add_route(node->get_netpoint(), nullptr, nullptr, nullptr,
                    {s4u::LinkInRoute(cable, s4u::LinkInRoute::Direction::UP)}, true);
    zone->add_route(node->get_netpoint(), node->get_netpoint(), nullptr, nullptr,
                    std::vector{s4u::LinkInRoute(memory)}, false);
    nodes.push_back(node);
  }
  zone->seal();
  return nodes;
}

// For the run file.
std::string description_of(Cluster cluster, const Computing& computing) {
  int major = 0, minor = 0, patch = 0;
  sg_version_get(&major, &minor, &patch);
  Options options;
  cluster.describe(options);
  Json description = {{"cluster", cluster.stem},
                      {"description", options.values()},
                      {"simulator", fmt::format("SimGrid {}.{}", major, minor)},
                      {"computing", computing.kernels == nullptr ? "measured" : "modelled"}};
  if (computing.kernels != nullptr) description["kernels"] = computing.kernels->about();
  if (!computing.arithmetic) description["arithmetic"] = "left out";
  return to_text(description);
}

}  // namespace

int run(const Cluster& cluster, const Computing& computing, std::size_t ranks,
        const std::function<int()>& rank) {
  std::string program = "lockstep", quiet = "--log=root.thres:error";
  std::array<char*, 3> words = {program.data(), quiet.data(), nullptr};
  int count = 2;
  s4u::Engine engine(&count, words.data());
  smpi_init_options();  // declares the settings
  configure(computing);
  SMPI_init();
  static const std::string description = description_of(cluster, computing);
  std::optional<ModelledComputing> modelled;
  arrays_stay_zero = !computing.arithmetic;
  if (computing.kernels != nullptr) work_meter = &modelled.emplace(*computing.kernels, computing.arithmetic);
  set_platform({.now_s = [] { return MPI_Wtime(); },
                .host_name = [] { return s4u::this_actor::get_host()->get_name(); },
                .is_simulated = true,
                .computes = computing.arithmetic,
                .simulation = description.c_str()});
  SMPI_app_instance_register(job, nullptr, static_cast<int>(ranks));
  const std::vector<s4u::Host*> nodes = make_nodes(cluster, ranks);
  int status = 0;
  for (std::size_t i = 0; i < ranks; ++i) {
    const auto actor = s4u::Actor::init("rank-" + std::to_string(i), nodes[i / cluster.cores_per_node]);
    actor->set_property("instance_id", job);
    actor->set_property("rank", std::to_string(i));
    actor->start([&] { status = std::max(status, rank()); });
  }
  engine.run();
  SMPI_finalize();
  work_meter = nullptr;
  return status;
}

}  // namespace lockstep::simulate
