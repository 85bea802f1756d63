// SPDX-License-Identifier: BSD-3-Clause
// What the system grants the ranks of a node: room for shared memory, copies out of each other's.
#pragma once

#include <cstddef>
#include <string>

#include "comm/communicator.hpp"

namespace lockstep::comm {

/// Throws Error on the first rank of `node` if what its ranks share cannot hold `bytes` more. One rank shares
/// nothing. Not collective.
void check_shared_memory(const Communicator& node, std::size_t bytes);

/// What helps where shared memory is too small.
[[nodiscard]] std::string shared_memory_hint();

/// Ranks of a node copy long messages out of each other's memory, which some containers forbid. Open MPI then
/// complains at every message, so this tells it to do without. Call before MPI starts. Returns why copies are
/// forbidden, or "".
[[nodiscard]] std::string avoid_forbidden_copies();

}  // namespace lockstep::comm
