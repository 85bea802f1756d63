// SPDX-License-Identifier: BSD-3-Clause
// The state of each run of a sweep: what its run file says, and what Slurm or this machine knows of its job.
#pragma once

#include <string>
#include <vector>

#include "core/json_fwd.hpp"
#include "sweep/plan.hpp"
#include "sweep/slurm/submission.hpp"

namespace lockstep::sweep {

struct RunView {
  Point point;
  RunStatus status;
  std::string job = {};  ///< that makes it or made it last; "" for none
};

struct View {
  std::vector<RunView> runs;
  std::string unknown;  ///< why Slurm says nothing of the jobs; "": it does, or there are none
};

/// Without Slurm, what the files say: a run whose file says so is running.
[[nodiscard]] View view_of(const Plan& plan);

/// True if a run is running or waiting.
[[nodiscard]] bool any_under_way(const View& view);

/// Without the points whose runs a job makes now or will make.
[[nodiscard]] std::vector<Point> not_under_way(const Plan& plan, std::vector<Point> points);

/// The sweep as text: a count of each state, then the runs; complete and waiting runs, and missing ones
/// that no job has failed to make, only if `all`.
[[nodiscard]] std::string text_of(const Plan& plan, const View& view, bool all);
[[nodiscard]] Json json_of(const View& view);

}  // namespace lockstep::sweep
