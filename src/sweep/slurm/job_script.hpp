// SPDX-License-Identifier: BSD-3-Clause
// The jobs of a sweep, and their batch scripts.
#pragma once

#include <cstddef>
#include <filesystem>
#include <string>
#include <vector>

#include "sweep/folder.hpp"
#include "sweep/site.hpp"

namespace lockstep::sweep {

/// What a sweep asks Slurm for: an exclusive job that makes all its runs, or an array of tasks that may share
/// nodes with other jobs.
struct Job {
  std::string id = {};  ///< Slurm's, once it is submitted
  std::string name;
  std::string comment = {};  ///< what it is, one line
  bool is_array = false;
  std::vector<std::vector<std::string>> tasks = {};  ///< the run ids of each; none: the job that collects
  std::size_t nodes = 1;
  std::size_t cores = 1;    ///< of each node
  std::size_t at_once = 0;  ///< so many tasks at most at the same time; 0: all
  double time_s = 0.0;
};

/// The script, to be submitted in the sweep's folder of logs: its outputs are named relative to that, because
/// Slurm would expand and divide other folders' names. Throws ConfigError for values that it cannot hold, and
/// for folders whose names Slurm would still change. Its batch shell becomes sweep work, which thus gets the
/// signal that Slurm sends before the time limit. `list_file` has a line of run ids for each task.
[[nodiscard]] std::string job_script(const Job& job, const Site& site, const SweepFolder& folder,
                                     const std::string& list_file);

/// The script of the job that collects the results of the others.
[[nodiscard]] std::string collect_script(const std::string& sweep_name, const Site& site,
                                         const SweepFolder& folder);

/// The script of a job that looks at its nodes (jobs/doctor_job.sh), to be submitted in `folder`, where it
/// leaves its report.
[[nodiscard]] std::string doctor_script(const Job& job, const Site& site,
                                        const std::filesystem::path& folder);

/// How many seconds before the time limit a job gets its signal: a fifth of the limit, 15 s to 2 min. Slurm
/// looks every 30 s, and signals jobs whose time would come before it looks again. So with the shortest
/// limit, a minute, the signal can come after 15 s: not while Slurm starts the shell, which has no trap yet
/// and would end without a message.
[[nodiscard]] double signal_lead_s(double time_s);

}  // namespace lockstep::sweep
