// SPDX-License-Identifier: BSD-3-Clause
// sweep submit: the runs of a sweep as jobs of Slurm's.
#include <cstdio>
#include <fstream>
#include <iostream>
#include <memory>
#include <string>
#include <vector>

#include <fmt/format.h>

#include "core/error.hpp"
#include "sweep/command.hpp"
#include "sweep/commands/view.hpp"
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

// Writes what would be submitted, and prints it; with Slurm's judgement if that is asked for.
int show(const Plan& plan, const std::vector<Point>& points, const Options& options,
         const std::filesystem::path& to) {
  const bool ask = options.test_only || slurm_answers();
  if (!ask)
    fmt::print(stderr, "note: no Slurm answers here; nodes are taken to have the cores of this machine\n");
  const Target target = target_of(options.submit, ask);
  std::vector<Job> jobs = divide(plan, points, options.submit, target);
  std::filesystem::remove_all(to);
  for (const std::string& script : write_scripts(plan, jobs, target.site, to)) {
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
  std::vector<Point> points = missing_points(plan);
  if (options.dry_run || options.test_only)
    return show(plan, points, options,
                options.dry_run_folder.empty() ? plan.folder.state() / "dry-run"
                                               : std::filesystem::path(options.dry_run_folder));
  points = not_under_way(plan, points);
  const std::size_t all = plan.manifest.points.size();
  fmt::print("{}: {} runs, {} to be submitted -> {}\n", plan.manifest.name, all, points.size(),
             plan.folder.root().string());
  submit(plan, points, options.submit, options.plan.extend);
  fmt::print("build/bin/sweep status {} shows how far they are\n", plan.folder.root().string());
  return 0;
}

}  // namespace

std::function<int()> set_up_submit(Arguments& command) {
  const auto options = std::make_shared<Options>();
  options->plan.add_to(command);
  options->submit.add_to(command);
  command.flag("--dry-run", options->dry_run, "print the scripts, write them to a folder, and stop");
  command.option("--dry-run-folder", options->dry_run_folder, "instead of sweep/dry-run in the results");
  command.flag("--test-only", options->test_only, "let Slurm judge the scripts, and stop");
  return [options] { return submit_sweep(*options); };
}

}  // namespace lockstep::sweep
