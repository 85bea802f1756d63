// SPDX-License-Identifier: BSD-3-Clause
// Signal handlers that only set a flag: little else is safe in them.
#include "train/stop_signal.hpp"

#include <csignal>
#include <initializer_list>

namespace lockstep::train {
namespace {

volatile std::sig_atomic_t caught = 0;

extern "C" void remember(int signal) {
  if (signal == SIGINT && caught == SIGINT) {
    std::signal(SIGINT, SIG_DFL);
    std::raise(SIGINT);  // delivered when this handler returns
    return;
  }
  if (caught == 0 || signal == SIGINT) caught = signal;
}

}  // namespace

// On Linux std::signal restarts interrupted calls, so that no write of results is cut short.
void catch_stop_signals() {
  for (const int signal : {SIGUSR1, SIGTERM, SIGINT}) std::signal(signal, remember);
}

bool stop_requested() { return caught != 0; }

}  // namespace lockstep::train
