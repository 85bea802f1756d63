// SPDX-License-Identifier: BSD-3-Clause
// Watching a launch.
#include "sweep/job.hpp"

#include <array>
#include <cstdio>

#include <fmt/format.h>

#include "core/error.hpp"

namespace lockstep::sweep {
namespace {

constexpr double look_s = 0.5;
// A training that is cut off at each start for the same reason would be queued for ever.
constexpr std::size_t most_restarts = 1000;

}  // namespace

JobEnd run_watched(const LaunchLine& line, const std::filesystem::path& log, SignalWatch& signals,
                   const std::function<void()>& idle) {
  constexpr std::array escalation = {SIGUSR1, SIGTERM, SIGKILL};
  Child child(line.words, line.environment, log);
  JobEnd end;
  std::size_t told = 0;
  for (;;) {
    const int number = signals.next(look_s);
    if (const auto status = child.ended()) {
      end.status = *status;
      return end;
    }
    if (number == SIGINT || number == SIGTERM || number == SIGUSR1) {
      if (told == 0) end.told = number;
      child.signal(escalation[std::min(told, escalation.size() - 1)]);
      ++told;
    }
    if (idle) idle();
  }
}

void requeue_this_job(const Allocation& allocation) {
  if (allocation.restarts >= most_restarts)
    throw Error({.what = fmt::format("job {} was run {} times and is not queued again", allocation.job_id,
                                     allocation.restarts)});
  fmt::print(stderr, "job {}: queued again, to go on from the checkpoint\n", allocation.job_id);
  std::fflush(stderr);
  const Captured answer = capture({"scontrol", "requeue", allocation.job_id});
  if (answer.status != 0) throw Error({.what = "scontrol requeue failed", .got = answer.err});
}

}  // namespace lockstep::sweep
