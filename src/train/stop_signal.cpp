// SPDX-License-Identifier: BSD-3-Clause
// Handlers that set a flag, the only thing that is safe in them.
#include "train/stop_signal.hpp"

#include <csignal>
#include <initializer_list>

#include <signal.h>

namespace lockstep::train {
namespace {

volatile std::sig_atomic_t caught = 0;

extern "C" void remember(int signal) {
  if (signal == SIGINT && caught == SIGINT) {
    std::signal(SIGINT, SIG_DFL);
    std::raise(SIGINT);  // it comes as soon as this handler returns
    return;
  }
  if (caught == 0 || signal == SIGINT) caught = signal;
}

}  // namespace

void catch_stop_signals() {
  struct sigaction action = {};
  action.sa_handler = remember;
  action.sa_flags = SA_RESTART;  // a write of results is not to be cut short
  sigemptyset(&action.sa_mask);
  for (const int signal : {SIGUSR1, SIGTERM, SIGINT}) sigaction(signal, &action, nullptr);
}

const char* stop_signal() {
  switch (caught) {
    case SIGUSR1:
      return "SIGUSR1";
    case SIGTERM:
      return "SIGTERM";
    case SIGINT:
      return "SIGINT";
    default:
      return nullptr;
  }
}

}  // namespace lockstep::train
