// SPDX-License-Identifier: BSD-3-Clause
// The batch scripts that a sweep submits.
#pragma once

#include <cstddef>
#include <string>

#include "sweep/folder.hpp"
#include "sweep/site.hpp"

namespace lockstep::sweep {

/// What a job of a sweep asks Slurm for, and the file with what it is to do: a line of run ids for each task.
struct JobRequest {
  std::string name;
  std::string comment;  ///< what it is, one line
  std::size_t nodes = 1;
  std::size_t cores = 1;    ///< of each node
  std::size_t tasks = 0;    ///< of an array; 0: no array
  std::size_t at_once = 0;  ///< at most so many of them at the same time; 0: all
  double time_s = 0.0;
  bool exclusive = false;
  std::string list_file;
};

/// The script. Its batch shell becomes sweep work, which so gets the signals that Slurm sends ahead of the
/// time limit.
[[nodiscard]] std::string job_script(const JobRequest& job, const Site& site, const SweepFolder& folder);

/// The script of the job that collects what the others have left.
[[nodiscard]] std::string collect_script(const std::string& name, const Site& site,
                                         const SweepFolder& folder);

/// Seconds before the time limit at which a job is told to stop: a fifth of it, 15 s to 2 min. Slurm looks
/// every 30 s, and tells those whose time would come before it looks again. So of the shortest limit, a
/// minute, 15 s are left until a signal can come: in the moment in which Slurm starts the shell, which has no
/// trap yet, it would end the job without a word.
[[nodiscard]] double signal_lead_s(double time_s);

}  // namespace lockstep::sweep
