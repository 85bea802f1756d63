// SPDX-License-Identifier: BSD-3-Clause
// A launch and the signals that come while it goes on.
#include <csignal>
#include <functional>
#include <string>

#include <gtest/gtest.h>
#include <unistd.h>

#include "sweep/local/launcher.hpp"

namespace lockstep::sweep {
namespace {

// As run_watched(), which looks twice a second; `between` is called before each look.
JobEnd watched(const std::string& shell_text, const std::function<void()>& between) {
  SignalWatch signals;
  Launch launch({.words = {"sh", "-c", shell_text}, .environment = {}}, {});
  for (;;) {
    between();
    launch.signal(signals.next(0.05));
    if (const auto end = launch.end()) return *end;
  }
}

TEST(SweepJob, ASignalIsHandedOnAsUsr1) {
  bool told = false;
  const JobEnd end = watched("trap 'exit 75' USR1; while :; do sleep 0.1; done", [&] {
    if (told) return;  // a second one would end it at once
    usleep(500'000);   // it has set its trap
    std::raise(SIGTERM);
    told = true;
  });
  EXPECT_EQ(end.stop_signal, SIGTERM);
  EXPECT_EQ(end.status, interrupted_status);
}

// It would otherwise be forgotten, and the next run of the list would begin.
TEST(SweepJob, ASignalThatComesAsTheProgramEndsCounts) {
  const JobEnd end = watched("true", [] {
    usleep(500'000);  // it has ended
    std::raise(SIGUSR1);
  });
  EXPECT_EQ(end.stop_signal, SIGUSR1);
  EXPECT_EQ(end.status, 0);
}

}  // namespace
}  // namespace lockstep::sweep
