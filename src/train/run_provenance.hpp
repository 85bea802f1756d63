// SPDX-License-Identifier: BSD-3-Clause
// Where and how a run ran, gathered from all ranks.
#pragma once

#include "comm/communicator.hpp"
#include "core/json_fwd.hpp"
#include "train/launch.hpp"

namespace lockstep::train {

/// Build, host, environment, ranks, hosts, bindings and command line; complete on rank 0. Collective.
[[nodiscard]] Json run_provenance(const comm::Communicator& ranks, const comm::Communicator& node,
                                  const RunSettings& settings);

/// What the rounding of results depends on beside the configuration: the build, the processors, the MPI
/// library, which ranks share a node. Complete on rank 0. Collective.
[[nodiscard]] Json machine_of(const comm::Communicator& ranks, const comm::Communicator& node,
                              const Json& provenance);

/// Each rank's memory use now; complete on rank 0. Collective.
[[nodiscard]] Json memory_provenance(const comm::Communicator& ranks);

}  // namespace lockstep::train
