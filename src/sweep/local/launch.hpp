// SPDX-License-Identifier: BSD-3-Clause
// One launch from start to end, and what a batch job does about its signals.
#pragma once

#include <filesystem>
#include <functional>

#include "sweep/local/launcher.hpp"

namespace lockstep::sweep {

/// train's exit status when it was told to stop and has left a checkpoint (EX_TEMPFAIL: try again).
inline constexpr int interrupted_status = 75;

/// train's exit status when another process has gone on with its run.
inline constexpr int taken_over_status = 4;

/// How a launch ended.
struct JobEnd {
  int status = 0;       ///< exit status of the launcher
  int stop_signal = 0;  ///< the first signal that told us to stop, or 0
};

/// Starts the line and waits for its end. SIGINT, SIGTERM and SIGUSR1 that come meanwhile are handed on to
/// all ranks as SIGUSR1, which asks train for a checkpoint; the second one as SIGTERM, the third as SIGKILL.
/// `idle` is called about twice a second. A launch that ends early because Slurm preempts this job is told of
/// as one that was interrupted by SIGUSR1: such a job is not queued again by Slurm if it ends by itself, and
/// not always if it waits for the end of its grace.
[[nodiscard]] JobEnd run_watched(const LaunchLine& line, const std::filesystem::path& log,
                                 SignalWatch& signals, const std::function<void()>& idle = {});

/// Asks Slurm to run this batch job again, from its start under the same id.
void requeue_this_job(const Allocation& allocation);

}  // namespace lockstep::sweep
