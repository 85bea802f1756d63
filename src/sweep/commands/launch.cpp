// SPDX-License-Identifier: BSD-3-Clause
// sweep launch: one program on ranks, here or in the allocation of a batch job.
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include <fmt/format.h>

#include "core/arguments.hpp"
#include "core/error.hpp"
#include "sweep/local/launcher.hpp"

namespace lockstep::sweep {
namespace {

struct Options {
  std::string site;
  std::size_t ranks = 0;
  std::size_t nodes = 0;
  bool requeue = false;
  bool print = false;
};

int launch(const Options& options, const std::vector<std::string>& program) {
  if (program.empty() || program.front().starts_with("-"))
    throw ConfigError({"which program?", "a program and its arguments",
                       program.empty() ? "nothing" : program.front(),
                       "sweep launch -n 4 -- build/bin/train --epochs 1"});
  SignalWatch signals;  // before all else: a signal that comes earlier ends the job
  const Allocation allocation = current_allocation();
  const bool in_job = !allocation.job_id.empty();
  const Site site = read_site(!options.site.empty() ? options.site : in_job ? "slurm" : "local");
  const std::size_t ranks = options.ranks != 0 ? options.ranks : allocation.tasks;
  if (ranks == 0)
    throw ConfigError({"on how many ranks?", "-n RANKS, or sbatch -n RANKS around it", "neither"});
  // Slurm has placed a job's own tasks, however unevenly; only other numbers of ranks are placed here.
  const bool whole_job = in_job && !site.simulation && options.ranks == 0 && options.nodes == 0;
  const Placement placement =
      whole_job ? Placement{.ranks = ranks} : place(site, allocation, ranks, options.nodes);
  if (site.simulation) check_simulator(site);
  const LaunchLine line = launch_line(site, placement, program);
  if (options.print) {
    fmt::print("{}\n", shell_line(line.words));
    return 0;
  }
  const JobEnd end = run_watched(line, {}, signals);
  if (options.requeue && end.status == interrupted_status && end.stop_signal == SIGUSR1)
    requeue_this_job(allocation);
  return end.status;
}

}  // namespace

std::function<int()> set_up_launch(Arguments& command) {
  const auto options = std::make_shared<Options>();
  command.option("--site", options->site,
                 "site of jobs/sites/, a file, or sim:CLUSTER; slurm in a job, else local");
  command.option("-n,--ranks", options->ranks, "ranks; in a job as many as it has tasks");
  command.option(
      "-N,--nodes", options->nodes,
      "on this many of the job's nodes; 0: the fewest that hold them, all ranks of a job as Slurm says");
  command.flag("--requeue", options->requeue,
               "in a job: after an interruption by the time limit's signal (USR1), queue the job again");
  command.flag("--print", options->print, "print the command line and stop");
  command.begins_another_program();  // at the first word that is no option of ours
  command.footer("Usage: sweep launch [OPTIONS] [--] PROGRAM [ARGUMENT ...]");
  return [options, &command] { return launch(*options, command.remaining()); };
}

}  // namespace lockstep::sweep
