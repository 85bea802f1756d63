// SPDX-License-Identifier: BSD-3-Clause
// Makes runs one after another: on this machine, or inside one job of Slurm's.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "sweep/folder.hpp"
#include "sweep/local/launch.hpp"
#include "sweep/local/launcher.hpp"

namespace lockstep::sweep {

/// The command line of a point's run: train with its settings, going on where an earlier attempt left off.
[[nodiscard]] std::vector<std::string> train_words(const SweepFolder& folder, const Point& point);

/// How a list of runs went.
struct Outcome {
  std::size_t complete = 0;  ///< made now
  std::size_t before = 0;    ///< were complete already
  std::size_t failed = 0;
  std::size_t open = 0;  ///< were interrupted, or not begun
  int stop_signal = 0;   ///< the signal that ended it early, or 0
};

/// What runs need beside their list.
struct Workplace {
  const Site& site;
  const Allocation& allocation;
  const SweepFolder& folder;
  const Spec& spec;  ///< its `until` says when a point's repeats are enough
};

/// Makes those of the runs that are not complete, then further repeats as long as `until` asks for them, one
/// line of output each. A run that fails is told and left; the next one follows. A stop signal ends the run
/// at work with a checkpoint, and the list.
[[nodiscard]] Outcome make_runs(const Workplace& place, std::vector<Point> points, SignalWatch& signals);

/// 0, 1 when a run failed, interrupted_status when a signal ended it.
[[nodiscard]] int exit_status(const Outcome& outcome);

}  // namespace lockstep::sweep
