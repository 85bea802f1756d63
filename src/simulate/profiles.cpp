// SPDX-License-Identifier: BSD-3-Clause
// Courses, fed to SimGrid a few changes at a time.
#include "simulate/profiles.hpp"

#include <cmath>
#include <memory>
#include <string>
#include <vector>

#include <simgrid/kernel/ProfileBuilder.hpp>

namespace lockstep::simulate {
namespace {

namespace s4u = simgrid::s4u;
namespace profile = simgrid::kernel::profile;

// SimGrid asks for more whenever the values are at their end.
profile::Profile* profile_of(const std::string& name, const Course& course, double unit) {
  const auto now = std::make_shared<Course>(course);  // SimGrid copies the function, and must not begin anew
  return profile::ProfileBuilder::from_callback(
      name,
      [now, unit](std::vector<profile::DatedValue>& values) {
        if (values.empty()) values.emplace_back(0.0, unit * now->value());
        constexpr int at_once = 64;
        for (int i = 0; i < at_once && std::isfinite(now->next_change_s()); ++i) {
          const double before_s = now->time_s();
          now->advance();
          values.emplace_back(now->time_s() - before_s, unit * now->value());
        }
      },
      -1.0);
}

bool is_usual(const Course& course) {
  return course.value() == 1.0 && !std::isfinite(course.next_change_s());
}

}  // namespace

void follow(s4u::Host& core, const Course& course) {
  if (!is_usual(course)) core.set_speed_profile(profile_of(core.get_name() + "-speed", course, 1.0));
}

void follow(s4u::Link& link, const Course& course) {
  if (is_usual(course)) return;
  link.set_bandwidth_profile(profile_of(link.get_name() + "-bandwidth", course, link.get_bandwidth()));
}

}  // namespace lockstep::simulate
