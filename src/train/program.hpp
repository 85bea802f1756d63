// SPDX-License-Identifier: BSD-3-Clause
// The body of main, shared by all programs of the family.
#pragma once

#include <string>

#include "comm/launcher.hpp"

namespace lockstep::train {

/// Runs a program from MPI_Init to MPI_Finalize and returns its exit status: 0 done, 1 failed, 2 bad input,
/// 3 diverged, 75 stopped by a signal (--resume continues). `algorithm` is the one that the program always
/// trains with; "": --algorithm chooses.
int run_program(const std::string& algorithm, int argc, char** argv);

/// True, after one process has said so, where a launcher started several processes that do not know each
/// other: ranks of another launcher, e.g. of MPICH's mpiexec with Open MPI's library, would all work alone.
[[nodiscard]] bool is_refused(const comm::StrangeLauncher& found);

}  // namespace lockstep::train
