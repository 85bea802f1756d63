// SPDX-License-Identifier: BSD-3-Clause
// Signals that ask a training to stop: from the time limit, the scheduler or the user.
#pragma once

namespace lockstep::train {

/// From now on SIGUSR1, SIGTERM and SIGINT only set a flag; a second SIGINT ends the process at once. Call it
/// after MPI_Init, which may set its own handlers.
void catch_stop_signals();

/// True after the first such signal.
[[nodiscard]] bool stop_requested();

}  // namespace lockstep::train
