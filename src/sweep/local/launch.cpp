// SPDX-License-Identifier: BSD-3-Clause
// Watching a launch.
#include "sweep/local/launch.hpp"

#include <array>
#include <cstdio>
#include <string>
#include <string_view>

#include <fmt/format.h>

#include "core/error.hpp"

namespace lockstep::sweep {
namespace {

constexpr double look_s = 0.5;
// A training that is cut off at each start for the same reason would be queued for ever.
constexpr std::size_t most_restarts = 1000;

// True when this job's nodes are wanted for more urgent work and it has a time of grace to stop in. Slurm
// tells the ranks, and not the batch shell.
bool is_preempted() {
  const std::string job = current_allocation().job_id;
  if (job.empty()) return false;
  const std::string told = capture({"scontrol", "show", "job", "--oneliner", job}).out;
  const std::string_view key = " PreemptTime=";
  const std::size_t at = told.find(key);
  return at != std::string::npos && !std::string_view(told).substr(at + key.size()).starts_with("None");
}

}  // namespace

JobEnd run_watched(const LaunchLine& line, const std::filesystem::path& log, SignalWatch& signals,
                   const std::function<void()>& idle) {
  constexpr std::array escalation = {SIGUSR1, SIGTERM, SIGKILL};
  Child child(line.words, line.environment, log);
  JobEnd end;
  std::size_t told = 0;
  for (;;) {
    const int number = signals.next(look_s);
    const bool is_told = number == SIGINT || number == SIGTERM || number == SIGUSR1;
    if (is_told && end.stop_signal == 0)
      end.stop_signal = number;  // also by a signal that comes as the program ends
    if (const auto status = child.ended()) {
      end.status = *status;
      if (end.status != 0 && end.stop_signal == 0 && is_preempted()) return {interrupted_status, SIGUSR1};
      return end;
    }
    if (is_told) {
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
