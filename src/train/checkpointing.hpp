// SPDX-License-Identifier: BSD-3-Clause
// A training's state, spread over ranks, to and from one checkpoint file.
#pragma once

#include <filesystem>
#include <string>

#include "algorithms/state.hpp"
#include "comm/communicator.hpp"
#include "core/json_fwd.hpp"
#include "record/checkpoint.hpp"

namespace lockstep::train {

/// Writes the state of all ranks to the checkpoint beside `run_file`; the one before it is kept as the
/// previous one. Rank 0 writes, and receives what others have one after another, so that it needs room for
/// one rank's array more. Returns what failed, the same text on all ranks; "" for nothing: a failure leaves
/// the older checkpoints as they were. Collective.
[[nodiscard]] std::string save_checkpoint(const comm::Communicator& ranks, const algorithms::State& state,
                                          const std::filesystem::path& run_file, const Json& about);

/// Puts the values of a checkpoint, of this number of ranks, into their places. Only rank 0 reads the file:
/// the other ranks give nullptr. Throws Error on rank 0 for a checkpoint that holds other things than `state`
/// lists. Collective.
void restore_checkpoint(const comm::Communicator& ranks, const algorithms::State& state,
                        const record::CheckpointReader* checkpoint);

}  // namespace lockstep::train
