// SPDX-License-Identifier: BSD-3-Clause
// The body of main, shared by all programs of the family.
#pragma once

#include "train/command_line.hpp"

namespace lockstep::train {

/// Runs `program` from MPI_Init to MPI_Finalize and returns its exit status: 0 done, 1 failed, 2 bad input,
/// 3 diverged, 75 told to stop: --resume goes on.
int run_program(const Program& program, int argc, char** argv);

}  // namespace lockstep::train
