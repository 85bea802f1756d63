// SPDX-License-Identifier: BSD-3-Clause
// sweep resume: only the runs that are missing or broken, in the same way as before.
#include <cstddef>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include <fmt/format.h>

#include "core/json.hpp"
#include "sweep/commands/view.hpp"
#include "sweep/local/executor.hpp"
#include "sweep/slurm/slurm.hpp"

namespace lockstep::sweep {
namespace {

struct Options {
  FolderOptions folder;
  std::string site, mode, time;
  std::size_t at_once = 0;
  bool split = false;
};

int resume_jobs(Plan& plan, const Options& options) {
  SubmitOptions submit_as = submit_options(read_json(plan.folder.submission_file()));
  if (!options.site.empty()) submit_as.site = options.site;
  if (!options.mode.empty()) submit_as.mode = options.mode;
  if (!options.time.empty()) submit_as.time = options.time;
  submit_as.split = submit_as.split || options.split;
  require_slurm();
  const std::vector<Point> missing = missing_points(plan);
  const std::vector<Point> points = not_under_way(plan, missing);
  const std::size_t all = points_so_far(plan).size();
  fmt::print("{}: {} runs, {} complete, {} under way, {} to be submitted\n", plan.spec.name, all,
             all - missing.size(), missing.size() - points.size(), points.size());
  if (!points.empty()) submit(plan, points, submit_as, false);
  return 0;
}

int resume(const Options& options) {
  const SweepFolder folder = options.folder.find();
  const FolderLock lock(folder);
  Plan plan = load_plan(folder);
  if (std::filesystem::exists(plan.folder.submission_file())) return resume_jobs(plan, options);
  const std::string before = plan.spec.simulation ? plan.spec.simulation->site : "local";
  const Site site = site_of_runs(options.site.empty() ? before : options.site, options.at_once);
  check_local(plan, site);
  return run_local(plan, site);
}

}  // namespace

std::function<int()> set_up_resume(Arguments& command) {
  const auto options = std::make_shared<Options>();
  options->folder.add_to(command);
  command.option("--site", options->site, "another site than before");
  command.option("--at-once", options->at_once, "simulated runs at the same time; 0: one a core");
  command.option("--mode", options->mode, "packed or spread, other than before").one_of({"packed", "spread"});
  command.option("--time", options->time, "another time limit of each job");
  command.flag("--split", options->split, "runs that do not end in the time limit continue in the next job");
  return [options] { return resume(*options); };
}

}  // namespace lockstep::sweep
