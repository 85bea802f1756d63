// SPDX-License-Identifier: BSD-3-Clause
// A sweep on this machine.
#include "sweep/local/local.hpp"

#include <cstdio>

#include <fmt/format.h>

#include "core/error.hpp"
#include "sweep/local/executor.hpp"

namespace lockstep::sweep {
namespace {

// Before the first run: a place for every run.
void check_places(const Plan& plan, const Site& site) {
  const Allocation allocation = current_allocation();
  for (const Point& point : plan.manifest.points) (void)place(site, allocation, point.ranks, point.nodes);
}

}  // namespace

int print_local(const Plan& plan, const Site& site) {
  const Allocation allocation = current_allocation();
  for (const Point& point : interleaved(missing_points(plan), plan.manifest.name))
    fmt::print("{}\n", shell_line(launch_line(site, place(site, allocation, point.ranks, point.nodes),
                                              train_words(plan.folder, point))
                                      .words));
  return 0;
}

int run_local(const Plan& plan, const Site& site) {
  if (site.scheduler != "none")
    throw ConfigError({"the site " + site.name + " is not for local runs",
                       "a site with \"scheduler\": \"none\"", site.scheduler,
                       "sweep submit is for Slurm; --site local is this machine"});
  check_places(plan, site);
  const FolderLock lock(plan.folder);
  const std::vector<Point> missing = missing_points(plan);
  const std::size_t complete = plan.manifest.points.size() - missing.size();
  fmt::print("{}: {} run{}{} -> {}\n", plan.manifest.name, plan.manifest.points.size(),
             plan.manifest.points.size() == 1 ? "" : "s",
             complete == 0 ? "" : fmt::format(", {} of them complete", complete),
             plan.folder.root().string());
  std::fflush(stdout);

  SignalWatch signals;
  const Allocation allocation = current_allocation();
  const Outcome outcome =
      make_runs({site, allocation, plan.folder, plan.spec},
                interleaved(with_other_repeats(plan, missing), plan.manifest.name), signals);
  const std::size_t open = missing.size() - outcome.complete - outcome.before;
  if (open == 0) {
    fmt::print("all complete; next: analysis/lockstep-analysis table {}\n", plan.folder.root().string());
  } else {
    fmt::print("{} of {} complete, {} failed; to go on: build/bin/sweep resume {}\n",
               plan.manifest.points.size() - open, plan.manifest.points.size(), outcome.failed,
               plan.folder.root().string());
  }
  return exit_status(outcome);
}

}  // namespace lockstep::sweep
