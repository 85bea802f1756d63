// SPDX-License-Identifier: BSD-3-Clause
// Where and how a run ran, gathered from all ranks.
#pragma once

#include "comm/communicator.hpp"
#include "core/fields.hpp"
#include "train/trainer.hpp"

namespace lockstep::train {

/// Build, host, environment, ranks, hosts, bindings and command line; complete on rank 0. Collective.
[[nodiscard]] Json run_provenance(const comm::Communicator& ranks, const comm::Communicator& node,
                                  const RunSettings& settings);

/// Each rank's memory by now; on rank 0, elsewhere empty. Collective.
[[nodiscard]] Json memory_provenance(const comm::Communicator& ranks);

}  // namespace lockstep::train
