// SPDX-License-Identifier: BSD-3-Clause
// Starting a program on ranks, by mpirun or srun, on this machine or on nodes of a Slurm job, or on those of
// a simulated cluster; and waiting for its end.
#pragma once

#include <cstddef>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "sweep/process.hpp"
#include "sweep/site.hpp"

namespace lockstep::sweep {

/// A job's share of a cluster, as Slurm's variables describe it.
struct Allocation {
  std::string job_id = {};              ///< "" outside a job
  std::vector<std::string> hosts = {};  ///< in Slurm's order
  std::size_t tasks = 0;                ///< that the job asked for
  std::size_t cores_per_node = 0;       ///< the fewest of any node
  std::size_t restarts = 0;             ///< of the job, before this process was started
};
/// The allocation that this process runs in.
[[nodiscard]] Allocation current_allocation();

/// Slurm's list "n[1-3],m5" as single names.
[[nodiscard]] std::vector<std::string> expand_hosts(const std::string& list);

/// Where ranks run.
struct Placement {
  std::size_t ranks = 1;
  std::vector<std::string> hosts = {};  ///< that share the ranks evenly; none: where this process runs
  bool share_cores = false;             ///< there are more ranks than cores
};

/// The fewest of the allocation's first nodes that hold `ranks`, or the first `nodes` if that is not 0. So
/// the nodes of a small run are part of those of a larger one. Throws ConfigError if they are too few. Of a
/// simulated cluster only how many there are counts.
[[nodiscard]] Placement place(const Site& site, const Allocation& allocation, std::size_t ranks,
                              std::size_t nodes);

/// A command line and what it needs in its environment.
struct LaunchLine {
  std::vector<std::string> words;
  Variables environment = {};
  std::vector<std::string> removed = {};  ///< variables that it must not see
};

/// How the site starts `program` (its path and arguments). LOCKSTEP_BINDING says what its ranks should be
/// bound to. On a simulated cluster the program of that name is the one that the build for SimGrid holds.
[[nodiscard]] LaunchLine launch_line(const Site& site, const Placement& placement,
                                     const std::vector<std::string>& program);

/// Throws ConfigError unless the build for SimGrid is there, and takes the site's cluster and options.
void check_simulator(const Site& site);

/// train's exit status after a stop signal, when it has left a checkpoint (EX_TEMPFAIL: try again).
inline constexpr int interrupted_status = 75;

/// train's exit status when another process has taken its run over.
inline constexpr int taken_over_status = 4;

/// How a launch ended.
struct JobEnd {
  int status = 0;       ///< exit status of the launcher
  int stop_signal = 0;  ///< the first stop signal, or 0
};

/// A program at work.
class Launch {
 public:
  /// Starts the line. Throws Error if that cannot be.
  Launch(const LaunchLine& line, const std::filesystem::path& log);

  /// The first SIGINT, SIGTERM, SIGHUP or SIGUSR1 is passed on to all ranks as SIGUSR1, which asks train for
  /// a checkpoint; the second one as SIGTERM, the third as SIGKILL. Other signals, and 0, are none of its
  /// own.
  void signal(int number);
  /// How it ended, told once; none while it runs. If it fails while Slurm preempts this job, that is an
  /// interruption by SIGUSR1: Slurm does not queue such a job again if it ends by itself, and not always if
  /// it waits for the end of its grace time.
  [[nodiscard]] std::optional<JobEnd> end();

 private:
  pid_t process_;
  int stop_signal_ = 0;
  std::size_t passed_on_ = 0;
};

/// SIGINT, SIGTERM, SIGHUP or SIGUSR1.
[[nodiscard]] bool is_stop_signal(int number);

/// Starts the line and waits for its end.
[[nodiscard]] JobEnd run_watched(const LaunchLine& line, const std::filesystem::path& log,
                                 SignalWatch& signals);

/// True if this process is part of a job that Slurm has given up or has started again elsewhere.
[[nodiscard]] bool is_superseded(const Allocation& allocation);

/// Asks Slurm to queue this batch job again, under the same id.
void requeue_this_job(const Allocation& allocation);

}  // namespace lockstep::sweep
