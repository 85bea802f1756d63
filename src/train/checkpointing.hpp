// SPDX-License-Identifier: BSD-3-Clause
// Saves a training's state, which is spread over ranks, in one checkpoint file, and restores it.
#pragma once

#include <cstddef>
#include <filesystem>
#include <string>
#include <vector>

#include "algorithms/state.hpp"
#include "comm/communicator.hpp"
#include "core/json_fwd.hpp"
#include "record/checkpoint.hpp"

namespace lockstep::train {

/// Writes the state of all ranks to the checkpoint beside `run_file`, with that file's bytes on rank 0; the
/// one before it is kept as the previous one. Rank 0 writes, and receives the other ranks' arrays one after
/// another, so it needs room for one more array. Returns what failed, the same text on all ranks, or "". A
/// failure leaves the older checkpoints as they were. Collective.
[[nodiscard]] std::string save_checkpoint(const comm::Communicator& ranks, const algorithms::State& state,
                                          const std::filesystem::path& run_file, const Json& about,
                                          std::vector<std::byte> run_file_bytes = {});

/// Restores `state` from a checkpoint of this number of ranks. Only rank 0 reads the file; the other ranks
/// give nullptr. Throws Error on rank 0 if the checkpoint does not hold what `state` lists. Collective.
void restore_checkpoint(const comm::Communicator& ranks, const algorithms::State& state,
                        const record::CheckpointReader* checkpoint);

}  // namespace lockstep::train
