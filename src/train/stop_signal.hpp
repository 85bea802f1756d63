// SPDX-License-Identifier: BSD-3-Clause
// Signals that ask a training to stop: the time limit's, the scheduler's, the user's.
#pragma once

namespace lockstep::train {

/// From now on SIGUSR1, SIGTERM and SIGINT only leave a note; a second SIGINT ends the process at once. To be
/// called after MPI_Init, which may set handlers of its own.
void catch_stop_signals();

/// The name of the first such signal, or nullptr when there was none.
[[nodiscard]] const char* stop_signal();

}  // namespace lockstep::train
