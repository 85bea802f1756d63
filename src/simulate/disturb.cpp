// SPDX-License-Identifier: BSD-3-Clause
// Profiles of SimGrid's, and its factor of latencies.
#include "simulate/disturb.hpp"

#include <cmath>
#include <memory>
#include <numeric>
#include <string>
#include <unordered_map>

#include <fmt/format.h>
#include <simgrid/kernel/ProfileBuilder.hpp>
#include <simgrid/kernel/resource/NetworkModelIntf.hpp>

#include "core/error.hpp"
#include "simulate/course.hpp"

namespace lockstep::simulate {
namespace {

namespace s4u = simgrid::s4u;
namespace profile = simgrid::kernel::profile;

// Hands a course to SimGrid, which asks for more whenever the values are at their end.
class Feed {
 public:
  Feed(const Course& course, double unit) : course_(course), unit_(unit) {}

  void operator()(std::vector<profile::DatedValue>& values) {
    if (values.empty()) values.emplace_back(0.0, unit_ * course_.value());
    check_progress();
    for (std::size_t i = 0; i < at_once && std::isfinite(course_.next_change_s()); ++i) {
      const double before_s = course_.time_s();
      course_.advance();
      values.emplace_back(course_.time_s() - before_s, unit_ * course_.value());
    }
  }

 private:
  static constexpr std::size_t at_once = 64;
  static constexpr std::size_t most_ahead = 200'000;

  // SimGrid sees no deadlock while there are values to come: it goes from one to the next for ever.
  void check_progress() {
    const double clock_s = s4u::Engine::get_clock();
    ahead_ = clock_s == last_clock_s_ ? ahead_ + at_once : 0;
    last_clock_s_ = clock_s;
    if (ahead_ > most_ahead)
      throw Error({.what = fmt::format("a deadlock: nothing happens after {:g} simulated seconds", clock_s),
                   .hint =
                       "ranks wait for messages that never come; if there is one that takes so long, give "
                       "noise a longer period_s"});
  }

  Course course_;
  double unit_, last_clock_s_ = -1.0;
  std::size_t ahead_ = 0;
};

profile::Profile* profile_of(const std::string& name, const Course& course, double unit) {
  // A copy of the function would begin anew.
  const auto feed = std::make_shared<Feed>(course, unit);
  return profile::ProfileBuilder::from_callback(
      name, [feed](std::vector<profile::DatedValue>& values) { (*feed)(values); }, -1.0);
}

bool is_usual(const Course& course) {
  return course.value() == 1.0 && !std::isfinite(course.next_change_s());
}

struct Core {
  std::size_t number = 0, node = 0;
  std::uint32_t sent = 0;  // messages to other nodes
};

void delay_messages(const Zones& zones, const Trouble& trouble) {
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

}  // namespace

void disturb(const Zones& zones, const Trouble& trouble) {
  for (std::size_t i = 0; i < zones.cores.size(); ++i) {
    const Course speed = Course::of_core(trouble, node_of(*zones.cores[i]), i);
    if (!is_usual(speed))
      zones.cores[i]->set_speed_profile(profile_of(zones.cores[i]->get_name() + "-speed", speed, 1.0));
  }
  for (const Cable& cable : zones.cables) {
    const Course course = Course::of_cable(trouble, cable.node);
    if (is_usual(course)) continue;
    for (s4u::Link* link : cable.directions)
      link->set_bandwidth_profile(profile_of(link->get_name() + "-bandwidth", course, link->get_bandwidth()));
  }
  if (trouble.delays_messages()) delay_messages(zones, trouble);
}

}  // namespace lockstep::simulate
