// SPDX-License-Identifier: BSD-3-Clause
// sweep run: all runs of a sweep on this machine, or on a cluster that it simulates.
#include <cstddef>
#include <functional>
#include <memory>
#include <string>

#include "sweep/local/executor.hpp"
#include "sweep/plan.hpp"

namespace lockstep::sweep {
namespace {

struct Options {
  PlanOptions plan;
  std::string site = "local";
  std::size_t at_once = 0;
  bool dry_run = false;
};

int run(const Options& options) {
  const Site site = site_of_runs(options.site, options.at_once);
  Plan plan = make_plan(options.plan, site);
  if (options.dry_run) {
    print_local(plan, site);
    return 0;
  }
  check_local(plan, site);
  const FolderLock lock(plan.folder);
  (void)missing_points(plan);  // run files of another sweep are an error before anything is written
  save_plan(plan, options.plan.extend);
  return run_local(plan, site);
}

}  // namespace

std::function<int()> set_up_run(Arguments& command) {
  const auto options = std::make_shared<Options>();
  options->plan.add_to(command);
  command.option("--site", options->site, "site of jobs/sites/, a file, or sim:CLUSTER").shows_default();
  command.option("--at-once", options->at_once, "simulated runs at the same time; 0: one a core");
  command.flag("--dry-run", options->dry_run, "print the command lines and stop");
  return [options] { return run(*options); };
}

}  // namespace lockstep::sweep
