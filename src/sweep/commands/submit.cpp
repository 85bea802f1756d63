// SPDX-License-Identifier: BSD-3-Clause
// sweep submit: the runs of a sweep as Slurm jobs.
#include <filesystem>
#include <fstream>
#include <functional>
#include <iostream>
#include <memory>
#include <string>
#include <vector>

#include <fmt/format.h>

#include "core/text.hpp"
#include "sweep/commands/view.hpp"
#include "sweep/slurm/slurm.hpp"
#include "sweep/slurm/submission.hpp"

namespace lockstep::sweep {
namespace {

struct Options {
  PlanOptions plan;
  SubmitOptions submit;
  bool dry_run = false;
  bool test_only = false;
  std::string dry_run_folder;
};

// Writes and prints the scripts that would be submitted, or what Slurm says of them.
int show(const Plan& plan, Site site, const Options& options) {
  const bool ask = options.test_only || slurm_answers();
  note_unused_variables();
  if (!ask)
    fmt::print(stderr, "note: no Slurm answers here; nodes are assumed to have the cores of this machine\n");
  complete(site, ask);
  const std::vector<Job> jobs = divide(plan, missing_points(plan), options.submit, site);
  std::filesystem::path to = options.dry_run_folder;
  if (to.empty()) to = plan.folder.state() / "dry-run";
  remove_scripts(to);
  for (const std::string& script : write_scripts(plan, jobs, site, to)) {
    if (options.test_only) {
      fmt::print("{}\n  {}\n", script, sbatch_test(script));
      continue;
    }
    fmt::print("# {}\n", script);
    std::cout << std::ifstream(script).rdbuf() << '\n';
  }
  fmt::print("nothing was submitted; the scripts are in {}\n", to.string());
  return 0;
}

int submit_sweep(const Options& options) {
  const Site site = chosen_site(options.submit);
  if (options.test_only || !options.dry_run) require_slurm();
  Plan plan = make_plan(options.plan, site);
  if (options.dry_run || options.test_only) return show(plan, site, options);
  const FolderLock lock(plan.folder);
  const std::vector<Point> points = not_under_way(plan, missing_points(plan));
  const std::string folder = visible(plan.folder.root().string());
  fmt::print("{}: {} runs, {} to be submitted -> {}\n", plan.spec.name, plan.points.size(), points.size(),
             folder);
  submit(plan, points, options.submit, options.plan.extend);
  fmt::print("build/bin/sweep status {} shows their state\n", folder);
  return 0;
}

}  // namespace

std::function<int()> set_up_submit(Arguments& command) {
  const auto options = std::make_shared<Options>();
  options->plan.add_to(command);
  options->submit.add_to(command);
  command.flag("--dry-run", options->dry_run, "print the scripts, write them to a folder, and stop");
  command.option("--dry-run-folder", options->dry_run_folder, "instead of sweep/dry-run in the results");
  command.flag("--test-only", options->test_only, "let Slurm check the scripts, and stop");
  return [options] { return submit_sweep(*options); };
}

}  // namespace lockstep::sweep
