// SPDX-License-Identifier: BSD-3-Clause
// sweep cancel: ends the jobs of a sweep, or the sweep program that makes its runs on this machine.
#include <csignal>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include <fmt/format.h>

#include "core/error.hpp"
#include "sweep/command.hpp"
#include "sweep/commands/view.hpp"

namespace lockstep::sweep {
namespace {

struct Options {
  std::string sweep;
  std::string results = "results";
};

int cancel(const Options& options) {
  const SweepFolder folder = find_folder(options.sweep, options.results);
  if (const auto holder = lock_holder(folder)) {
    if (kill(*holder, SIGTERM) != 0)
      throw Error({.what = fmt::format("cannot stop process {}, which works on {}", *holder,
                                       folder.root().string())});
    fmt::print("process {} was told to stop, with a checkpoint\n", *holder);
  }
  std::vector<std::string> ids;
  for (const SubmittedJob& job : load_jobs(folder)) ids.push_back(job.id);
  std::set<std::string> active;
  if (!ids.empty()) {
    require_slurm();
    for (const QueueEntry& entry : queue_of(ids)) active.insert(entry.job_id);
    if (!active.empty()) scancel({active.begin(), active.end()});
  }
  fmt::print("{} job{} cancelled; build/bin/sweep resume {} goes on\n", active.size(),
             active.size() == 1 ? "" : "s", folder.root().string());
  return 0;
}

}  // namespace

std::function<int()> set_up_cancel(Arguments& command) {
  const auto options = std::make_shared<Options>();
  command.option("sweep", options->sweep, "the sweep's folder, its name, or an experiment's").required();
  command.option("--results", options->results, "folder of results, for a name").shows_default();
  return [options] { return cancel(*options); };
}

}  // namespace lockstep::sweep
