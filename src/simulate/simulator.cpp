// SPDX-License-Identifier: BSD-3-Clause
// SimGrid's settings, and ranks as its actors.
#include "simulate/simulator.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
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
#include "simulate/delays.hpp"
#include "simulate/zones.hpp"

namespace lockstep::simulate {
namespace {

namespace s4u = simgrid::s4u;

constexpr const char* job = "job";
constexpr int deadlock = 5;  // the exit status of a job that the watchdog ends

// SimGrid's settings: what the cluster's file says is all that counts.
void configure(const Cluster& cluster, const Computing& computing) {
  s4u::Engine::set_config(fmt::format("smpi/simulate-computation:{}", computing.kernels == nullptr));
  for (const auto& [key, value] : {
           std::pair{"network/model", "CM02"},  // a message takes latency + bytes / bandwidth,
           {"network/TCP-gamma", "0"},          // with no window of TCP
           {"network/crosstraffic", "0"},       // and no bytes that acknowledge others,
           {"smpi/coll-selector", "ompi"},      // collectives as Open MPI chooses them
           {"smpi/bcast", "binomial_tree"},     // (not the one that sends P^2 messages once, about nodes),
           {"smpi/host-speed", "1f"},           // and seconds of this machine's cores at work
           {"smpi/cpu-threshold", "0"},         // are counted however short.
           {"smpi/test", "1e-6"},               // Asking whether a message is there takes no 100 us,
           {"smpi/iprobe", "1e-6"},
           {"smpi/privatization", "no"},  // and ranks share the program's variables.
       })
    s4u::Engine::set_config(std::string(key) + ":" + value);
  // For messages of 0 bytes and more: a constant, and nothing for each byte.
  const auto set_overhead = [](const char* key, double seconds) {
    s4u::Engine::set_config(fmt::format("{}:0:{:.9e}:0", key, seconds));
  };
  set_overhead("smpi/os", cluster.send_overhead_s);
  set_overhead("smpi/ois", cluster.send_overhead_s);
  set_overhead("smpi/or", cluster.receive_overhead_s);
}

// Startup's messages hold names and numbers of any length. Where they end decides how the differences between
// later times are rounded, and which periods of trouble the training meets.
void wait_for_whole_second() { s4u::this_actor::sleep_until(std::ceil(MPI_Wtime())); }

// For the run file.
std::string description_of(const Cluster& cluster, const Computing& computing) {
  int major = 0, minor = 0, patch = 0;
  sg_version_get(&major, &minor, &patch);
  Json description = {{"cluster", cluster.stem},
                      {"description", cluster.values()},
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
  configure(cluster, computing);
  SMPI_init();
  static const std::string description = description_of(cluster, computing);
  std::optional<ModelledComputing> modelled;
  arrays_stay_zero = !computing.arithmetic;
  if (computing.kernels != nullptr) work_meter = &modelled.emplace(*computing.kernels, computing.arithmetic);
  set_platform({.now_s = [] { return MPI_Wtime(); },
                .host_name = [] { return s4u::this_actor::get_host()->get_englobing_zone()->get_name(); },
                .node_number = [] { return node_of(*s4u::this_actor::get_host()); },
                .wait_for_start = wait_for_whole_second,
                .is_simulated = true,
                .computes = computing.arithmetic,
                .simulation = description.c_str()});
  SMPI_app_instance_register(job, nullptr, static_cast<int>(ranks));
  const Zones zones = make_zones(cluster, ranks);
  delay_messages(zones, cluster.trouble);
  int status = 0;
  std::size_t ended = 0;
  for (std::size_t i = 0; i < ranks; ++i) {
    const auto actor = s4u::Actor::init("rank-" + std::to_string(i), zones.cores[i]);
    actor->set_property("instance_id", job);
    actor->set_property("rank", std::to_string(i));
    actor->start([&] {
      status = std::max(status, rank());
      ++ended;
    });
  }
  engine.run();
  SMPI_finalize();
  work_meter = nullptr;
  if (ended < ranks) {  // SimGrid has said so, and killed them
    fmt::print(stderr, "error: {} of {} ranks wait for messages that never come\n", ranks - ended, ranks);
    return deadlock;
  }
  return status;
}

}  // namespace lockstep::simulate
