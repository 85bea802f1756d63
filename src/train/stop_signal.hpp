// SPDX-License-Identifier: BSD-3-Clause
// Signals that ask a training to stop: from the time limit, the scheduler or the user.
#pragma once

namespace lockstep::train {

/// From now on SIGUSR1, SIGTERM, SIGINT and SIGHUP only set a flag; a second SIGINT ends the process at once.
/// SIGHUP stays ignored where it was (nohup). Call it after MPI_Init, which may set its own handlers.
void catch_stop_signals();

/// True after the first such signal.
[[nodiscard]] bool stop_requested();

}  // namespace lockstep::train
