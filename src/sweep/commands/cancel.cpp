// SPDX-License-Identifier: BSD-3-Clause
// sweep cancel: ends the jobs of a sweep, or the sweep program that makes its runs on this machine.
#include <csignal>
#include <functional>
#include <memory>
#include <set>
#include <string>

#include <fmt/format.h>

#include "core/error.hpp"
#include "core/text.hpp"
#include "sweep/plan.hpp"
#include "sweep/slurm/slurm.hpp"
#include "sweep/slurm/submission.hpp"

namespace lockstep::sweep {
namespace {

int cancel(const SweepFolder& folder) {
  if (const auto holder = lock_holder(folder)) {
    if (holder->process == 0 || !holder->is_here() || kill(holder->process, SIGTERM) != 0)
      throw Error({.what = fmt::format("cannot stop process {}, which works on {}", holder->process,
                                       folder.root().string()),
                   .got = holder->is_here() ? "" : "it runs on " + holder->host,
                   .hint = holder->is_here() ? "" : "sweep cancel on that machine"});
    fmt::print("process {} was asked to stop, with a checkpoint\n", holder->process);
  }
  std::set<std::string> active;
  if (const std::vector<Job> jobs = load_jobs(folder); !jobs.empty()) {
    require_slurm();
    for (const QueueEntry& entry : queue_of(jobs))
      if (entry.is_active()) active.insert(entry.job_id);
    if (!active.empty()) scancel({active.begin(), active.end()});
  }
  fmt::print("{} cancelled; build/bin/sweep resume {} resumes\n", plural(active.size(), "job"),
             visible(folder.root().string()));
  return 0;
}

}  // namespace

std::function<int()> set_up_cancel(Arguments& command) {
  const auto options = std::make_shared<FolderOptions>();
  options->add_to(command);
  return [options] { return cancel(options->find()); };
}

}  // namespace lockstep::sweep
