// SPDX-License-Identifier: BSD-3-Clause
// From a command line to a sweep in its folder: what run, submit, resume and status start from.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "core/arguments.hpp"
#include "sweep/folder.hpp"
#include "sweep/run_state.hpp"
#include "sweep/site.hpp"
#include "sweep/spec/spec.hpp"

namespace lockstep::sweep {

/// The options of commands that begin with a spec file.
struct PlanOptions {
  std::string spec_file;
  std::string scale = "full";
  std::string results = "results";
  bool extend = false;

  void add_to(Arguments& command);
};

/// The options of commands that begin with a sweep's folder.
struct FolderOptions {
  std::string sweep;
  std::string results = "results";

  void add_to(Arguments& command);
  [[nodiscard]] SweepFolder find() const { return find_folder(sweep, results); }
};

/// A sweep and its folder.
struct Plan {
  SweepFolder folder;
  Spec spec;
  std::vector<Point> points;  ///< the spec, expanded; more with --extend
};

/// Reads and expands the spec, and estimates how long its runs take at the site. Writes nothing. Throws
/// ConfigError.
[[nodiscard]] Plan make_plan(const PlanOptions& options, const Site& site);

/// Throws ConfigError unless the sweep in the folder, begun on `before`, goes on there `now`: both real, or
/// the same cluster.
void check_same_cluster(const SweepFolder& folder, const std::optional<Simulation>& before,
                        const std::optional<Simulation>& now);

/// The plan in a folder's manifest.
[[nodiscard]] Plan load_plan(const SweepFolder& folder);
/// Creates the folders and writes the manifest. If the folder has one already with points that the plan has
/// not, it belongs to another sweep: ConfigError, unless `extend`. Then the older points come before the new
/// ones.
void save_plan(Plan& plan, bool extend);

/// The points, and the repeats beyond them that `until` has asked for so far.
[[nodiscard]] std::vector<Point> points_so_far(const Plan& plan);

/// The points so far whose runs are not complete, or whose run files are damaged. Throws ConfigError if a run
/// file was made with other settings.
[[nodiscard]] std::vector<Point> missing_points(const Plan& plan);

/// With `until`: also the other repeats so far of these points, which show when there are enough of them.
[[nodiscard]] std::vector<Point> with_other_repeats(const Plan& plan, const std::vector<Point>& points);

/// Round by round of repeats; within a round in a random order that is always the same for a sweep of this
/// name. So a drift during a sweep (heat, other users) does not look like an effect of a setting.
[[nodiscard]] std::vector<Point> interleaved(std::vector<Point> points, const std::string& sweep_name);

}  // namespace lockstep::sweep
