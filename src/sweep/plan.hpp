// SPDX-License-Identifier: BSD-3-Clause
// From a command line to a sweep in its folder: what run, submit, resume and status start from.
#pragma once

#include <string>
#include <vector>

#include "core/arguments.hpp"
#include "sweep/folder.hpp"
#include "sweep/run_state.hpp"
#include "sweep/site.hpp"

namespace lockstep::sweep {

/// What commands that begin with a spec file take.
struct PlanOptions {
  std::string spec_file;
  std::string scale = "full";
  std::string results = "results";
  bool extend = false;

  void add_to(Arguments& command);
};

/// A sweep and its folder.
struct Plan {
  SweepFolder folder;
  Manifest manifest;
  Spec spec;
};

/// Reads and expands the spec, and estimates what its runs take at the site. Writes nothing. Throws
/// ConfigError.
[[nodiscard]] Plan make_plan(const PlanOptions& options, const Site& site);
/// The plan that a folder holds.
[[nodiscard]] Plan load_plan(const SweepFolder& folder);

/// The points, and those repeats beyond them that `until` has asked for so far.
[[nodiscard]] std::vector<Point> points_so_far(const Plan& plan);

/// The state of each point's run. Throws ConfigError, before anything is done, when a run file was made with
/// other settings.
[[nodiscard]] std::vector<RunStatus> checked_states(const Plan& plan, const std::vector<Point>& points);

/// The points so far whose runs are still to be made or to be gone on with; checked as by checked_states.
[[nodiscard]] std::vector<Point> missing_points(const Plan& plan);

/// With `until`: also the other repeats so far of these points, which tell when there are enough of them.
[[nodiscard]] std::vector<Point> with_other_repeats(const Plan& plan, const std::vector<Point>& points);

/// Repeats first, and within one round of repeats in an order that is random but the same for a sweep of this
/// name: what drifts during a sweep (heat, other users) then does not pose as an effect of what is swept.
[[nodiscard]] std::vector<Point> interleaved(std::vector<Point> points, const std::string& sweep_name);

}  // namespace lockstep::sweep
