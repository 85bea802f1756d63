// SPDX-License-Identifier: BSD-3-Clause
// SimGrid's factor of latencies.
#include "simulate/delays.hpp"

#include <cstdint>
#include <memory>
#include <numeric>
#include <unordered_map>
#include <vector>

#include <simgrid/kernel/resource/NetworkModelIntf.hpp>

namespace lockstep::simulate {
namespace {

namespace s4u = simgrid::s4u;

struct Core {
  std::size_t number = 0, node = 0;
  std::uint32_t sent = 0;  // messages to other nodes
};

}  // namespace

void delay_messages(const Zones& zones, const Trouble& trouble) {
  if (!trouble.delays_messages()) return;
  const auto cores = std::make_shared<std::unordered_map<const s4u::Host*, Core>>();
  for (std::size_t i = 0; i < zones.cores.size(); ++i)
    (*cores)[zones.cores[i]] = {.number = i, .node = node_of(*zones.cores[i])};
  zones.root->get_network_model()->set_lat_factor_cb(
      [cores, &trouble](double, const s4u::Host* from, const s4u::Host* to,
                        const std::vector<s4u::Link*>& links, const auto&) {
        Core& sender = cores->at(from);
        const Core& receiver = cores->at(to);
        if (sender.node == receiver.node) return 1.0;
        const double usual_s =
            std::accumulate(links.begin(), links.end(), 0.0,
                            [](double sum, const s4u::Link* link) { return sum + link->get_latency(); });
        return 1.0 + trouble.delay_s(sender.node, receiver.node, sender.number, sender.sent++,
                                     s4u::Engine::get_clock()) /
                         usual_s;
      });
}

}  // namespace lockstep::simulate
