// SPDX-License-Identifier: BSD-3-Clause
// Where each run of a sweep stands: what its run file tells, and what Slurm or this machine knows besides.
#pragma once

#include <array>
#include <string>
#include <string_view>
#include <vector>

#include "sweep/plan.hpp"
#include "sweep/slurm/submission.hpp"

namespace lockstep::sweep {

/// waiting: in Slurm's queue, or behind others of its job. broken: its file says that it runs, and nothing
/// runs it. missing: nobody is about to make it.
enum class RunStanding { complete, running, waiting, interrupted, failed, broken, missing };
inline constexpr std::array<std::string_view, 7> standing_names = {
    "complete", "running", "waiting", "interrupted", "failed", "broken", "missing"};

struct RunView {
  Point point;
  RunStatus run;
  RunStanding standing = RunStanding::missing;
  std::string job;  ///< that makes it or made it last; "" for none
  std::string why;  ///< it waits or failed, one line
};

[[nodiscard]] std::vector<RunView> view_of(const Plan& plan);

/// Without those that a job is about to make or is making.
[[nodiscard]] std::vector<Point> not_under_way(const Plan& plan, const std::vector<Point>& points);

/// The sweep in lines of text: a count of each standing, then the runs; those that are complete or waiting
/// only if `all`.
[[nodiscard]] std::string text_of(const Plan& plan, const std::vector<RunView>& views, bool all);
[[nodiscard]] Json json_of(const std::vector<RunView>& views);

}  // namespace lockstep::sweep
