// SPDX-License-Identifier: BSD-3-Clause
// The program that calibrates: a cluster's file from a job on its nodes.
#pragma once

namespace lockstep::simulate {

/// From MPI_Init to MPI_Finalize. Returns the exit status: 2 for bad input, which one rank reports.
[[nodiscard]] int run_calibrate(int argc, char** argv);

}  // namespace lockstep::simulate
