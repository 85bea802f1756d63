// SPDX-License-Identifier: BSD-3-Clause
// Lets things go wrong in a simulated cluster.
#pragma once

#include "simulate/trouble.hpp"
#include "simulate/zones.hpp"

namespace lockstep::simulate {

/// Noise and slow nodes become speeds of cores over time; slow links become bandwidths over time, and lost
/// messages latency. Before the simulation starts; `trouble` and `zones` outlive it.
void disturb(const Zones& zones, const Trouble& trouble);

}  // namespace lockstep::simulate
