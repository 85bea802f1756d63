// SPDX-License-Identifier: BSD-3-Clause
// Messages that arrive late.
#pragma once

#include "simulate/trouble.hpp"
#include "simulate/zones.hpp"

namespace lockstep::simulate {

/// Adds to each message's latency what `trouble`, which outlives the simulation, says of its nodes' links.
void delay_messages(const Zones& zones, const Trouble& trouble);

}  // namespace lockstep::simulate
