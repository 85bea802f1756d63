// SPDX-License-Identifier: BSD-3-Clause
// Signal handlers that only set a flag: little else is safe in them.
#include "train/stop_signal.hpp"

#include <cerrno>
#include <csignal>
#include <initializer_list>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace lockstep::train {
namespace {

volatile std::sig_atomic_t caught = 0;

// A terminal that hangs up fails all that is printed to it.
void leave_terminal() {
  const int nowhere = ::open("/dev/null", O_RDWR | O_CLOEXEC);
  if (nowhere < 0) return;
  for (const int fd : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) {
    struct stat found {};
    if (::fstat(fd, &found) == 0 && S_ISCHR(found.st_mode)) ::dup2(nowhere, fd);
  }
  ::close(nowhere);
}

extern "C" void remember(int signal) {
  if (signal == SIGINT && caught == SIGINT) {
    std::signal(SIGINT, SIG_DFL);
    std::raise(SIGINT);  // delivered when this handler returns
    return;
  }
  const int error = errno;
  if (signal == SIGHUP) leave_terminal();
  errno = error;
  if (caught == 0 || signal == SIGINT) caught = signal;
}

}  // namespace

// On Linux std::signal restarts interrupted calls, so that no write of results is cut short.
void catch_stop_signals() {
  for (const int signal : {SIGUSR1, SIGTERM, SIGINT, SIGHUP})
    if (std::signal(signal, remember) == SIG_IGN && signal == SIGHUP) std::signal(SIGHUP, SIG_IGN);
}

bool stop_requested() { return caught != 0; }

}  // namespace lockstep::train
