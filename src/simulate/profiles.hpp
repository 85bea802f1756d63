// SPDX-License-Identifier: BSD-3-Clause
// Cores and links whose speed changes with time, as SimGrid's profiles.
#pragma once

#include <simgrid/s4u.hpp>

#include "simulate/course.hpp"

namespace lockstep::simulate {

/// Multiplies the core's speed, or the link's bandwidth, by the course's value. Before it is sealed.
void follow(simgrid::s4u::Host& core, const Course& course);
void follow(simgrid::s4u::Link& link, const Course& course);

}  // namespace lockstep::simulate
