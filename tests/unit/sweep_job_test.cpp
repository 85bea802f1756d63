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

JobEnd watched(const std::string& shell_text, const std::function<void()>& idle) {
  SignalWatch signals;
  return run_watched({.words = {"sh", "-c", shell_text}, .environment = {}}, {}, signals, idle);
}

TEST(SweepJob, ASignalIsHandedOnAsUsr1) {
  bool told = false;
  const JobEnd end = watched("trap 'exit 75' USR1; while :; do sleep 0.1; done", [&] {
    if (!told) std::raise(SIGTERM);  // a second one would end it at once
    told = true;
  });
  EXPECT_EQ(end.stop_signal, SIGTERM);
  EXPECT_EQ(end.status, interrupted_status);
}

// It would otherwise be forgotten, and the next run of the list would begin.
TEST(SweepJob, ASignalThatComesAsTheProgramEndsCounts) {
  const JobEnd end = watched("sleep 0.7", [] {  // called after half a second
    usleep(500'000);
    std::raise(SIGUSR1);
  });
  EXPECT_EQ(end.stop_signal, SIGUSR1);
  EXPECT_EQ(end.status, 0);
}

}  // namespace
}  // namespace lockstep::sweep
