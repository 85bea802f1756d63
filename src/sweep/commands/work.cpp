// SPDX-License-Identifier: BSD-3-Clause
// sweep work: the program of a job that sweep submit has made.
#include <algorithm>
#include <fstream>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "core/error.hpp"
#include "core/text.hpp"
#include "sweep/local/executor.hpp"

namespace lockstep::sweep {
namespace {

struct Options {
  std::string folder, site, list;
  std::size_t task = 0;
  std::size_t cores_per_node = 0;
};

std::vector<Point> points_of_task(const Plan& plan, const Options& options) {
  std::ifstream file(options.list);
  std::string line;
  for (std::size_t i = 0; i <= options.task; ++i)
    if (!std::getline(file, line))
      throw ConfigError({options.list + " has no task " + std::to_string(options.task),
                         "a line for each task", std::to_string(i) + " lines"});
  const std::vector<Point> known = points_so_far(plan);
  std::vector<Point> points;
  for (const std::string& run_id : split(line, ' ')) {
    const auto found = std::ranges::find(known, run_id, &Point::run_id);
    if (found == known.end())
      throw ConfigError({.what = plan.folder.manifest_file().string() + " knows no run " + run_id});
    points.push_back(*found);
  }
  return points;
}

int work(const Options& options) {
  SignalWatch signals;  // before all else: a signal that comes earlier ends the job
  const Plan plan = load_plan(find_folder(options.folder, ""));
  Site site = read_site(options.site);
  // In a job, Slurm counts hardware threads; the runs were divided by cores.
  if (site.cores_per_node == 0) site.cores_per_node = options.cores_per_node;
  const Allocation allocation = current_allocation();
  if (allocation.job_id.empty())
    throw ConfigError({.what = "sweep work is for Slurm jobs", .hint = "sweep resume continues a sweep"});
  const Outcome outcome = make_runs(plan, site, points_of_task(plan, options), signals);
  // USR1 comes before the time limit. TERM cancels a job, which should then not be queued again.
  if (outcome.stop_signal == SIGUSR1 && outcome.open > 0) requeue_this_job(allocation);
  return outcome.exit_status();
}

}  // namespace

std::function<int()> set_up_work(Arguments& command) {
  const auto options = std::make_shared<Options>();
  command.option("folder", options->folder, "the sweep's folder").required();
  command.option("--site", options->site, "site of jobs/sites/, or a file").required();
  command.option("--list", options->list, "file with a line of run ids for each task").required();
  command.option("--cores-per-node", options->cores_per_node, "if the site does not say");
  command.option("--task", options->task, "the line of the list, from 0").shows_default();
  return [options] { return work(*options); };
}

}  // namespace lockstep::sweep
