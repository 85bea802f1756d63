// SPDX-License-Identifier: BSD-3-Clause
// The state of each run of a sweep: what its run file says, and what Slurm or this machine knows of its job.
#pragma once

#include <array>
#include <string>
#include <string_view>
#include <vector>

#include "core/json_fwd.hpp"
#include "sweep/plan.hpp"
#include "sweep/slurm/submission.hpp"

namespace lockstep::sweep {

/// waiting: in Slurm's queue, or its job makes other runs first. broken: its file says that it runs, but no
/// job runs it. missing: no job will make it.
enum class RunStanding { complete, running, waiting, interrupted, failed, broken, missing };
inline constexpr std::array<std::string_view, 7> standing_names = {
    "complete", "running", "waiting", "interrupted", "failed", "broken", "missing"};

struct RunView {
  Point point;
  RunStatus run;
  RunStanding standing = RunStanding::missing;
  std::string job = {};  ///< that makes it or made it last; "" for none
  std::string why = {};  ///< it waits or failed, one line
};

[[nodiscard]] std::vector<RunView> view_of(const Plan& plan);

/// True if a run is running or waiting.
[[nodiscard]] bool any_under_way(const std::vector<RunView>& views);

/// Without the points whose runs a job makes now or will make.
[[nodiscard]] std::vector<Point> not_under_way(const Plan& plan, std::vector<Point> points);

/// The sweep as text: a count of each standing, then the runs; complete, waiting and missing runs only if
/// `all`.
[[nodiscard]] std::string text_of(const Plan& plan, const std::vector<RunView>& views, bool all);
[[nodiscard]] Json json_of(const std::vector<RunView>& views);

}  // namespace lockstep::sweep
