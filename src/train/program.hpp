// SPDX-License-Identifier: BSD-3-Clause
// The body of main, shared by all programs of the family.
#pragma once

#include <functional>
#include <string>

#include "comm/communicator.hpp"
#include "comm/launcher.hpp"

namespace lockstep::train {

/// Runs a program from MPI_Init to MPI_Finalize and returns its exit status: 0 done, 1 failed, 2 bad input,
/// 3 diverged, 75 stopped by a signal (--resume continues). `algorithm` is the one that the program always
/// trains with; "": --algorithm chooses.
int run_program(const std::string& algorithm, int argc, char** argv);

/// Runs another program's `body` on all ranks, from MPI_Init to MPI_Finalize, and returns its exit status, or
/// end_after_error()'s.
int run_on_ranks(int argc, char** argv, const std::function<int(const comm::Communicator&)>& body);

/// In a handler of any exception: says an AgreedError once and returns 2. With another one, which this rank
/// alone may know of, it ends all ranks with 1.
int end_after_error(const comm::Communicator& ranks);

/// True, after one process has said so, where a launcher started several processes that do not know each
/// other: ranks of another launcher, e.g. of MPICH's mpiexec with Open MPI's library, would all work alone.
[[nodiscard]] bool is_refused(const comm::StrangeLauncher& found);

}  // namespace lockstep::train
