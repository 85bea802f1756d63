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
  RunStatus run;
  std::string job = {};  ///< that makes it or made it last; "" for none
};

[[nodiscard]] std::vector<RunView> view_of(const Plan& plan);

/// True if a run is running or waiting.
[[nodiscard]] bool any_under_way(const std::vector<RunView>& views);

/// Without the points whose runs a job makes now or will make.
[[nodiscard]] std::vector<Point> not_under_way(const Plan& plan, std::vector<Point> points);

/// The sweep as text: a count of each state, then the runs; complete, waiting and missing runs only if
/// `all`.
[[nodiscard]] std::string text_of(const Plan& plan, const std::vector<RunView>& views, bool all);
[[nodiscard]] Json json_of(const std::vector<RunView>& views);

}  // namespace lockstep::sweep
