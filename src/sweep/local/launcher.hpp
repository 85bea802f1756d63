// SPDX-License-Identifier: BSD-3-Clause
// Starting a program on ranks: mpirun or srun, on this machine or on nodes of a Slurm allocation.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "sweep/process.hpp"
#include "sweep/site.hpp"

namespace lockstep::sweep {

/// Where ranks are to run.
struct Placement {
  std::size_t ranks = 1;
  std::vector<std::string> hosts;  ///< of the allocation, the ranks evenly on them; empty: wherever we are
  bool share_cores = false;        ///< there are more ranks than cores
};

/// A command line and what its environment must hold besides.
struct LaunchLine {
  std::vector<std::string> words;
  Variables environment;
};

/// How the site starts `program` (its path and arguments). The program is told in LOCKSTEP_BINDING what its
/// ranks are to be bound to.
[[nodiscard]] LaunchLine launch_line(const Site& site, const Placement& placement,
                                     const std::vector<std::string>& program);

/// A job's share of a cluster, as Slurm's variables tell it.
struct Allocation {
  std::string job_id;              ///< "" outside a job
  std::vector<std::string> hosts;  ///< in Slurm's order
  std::size_t tasks = 0;           ///< that were asked for
  std::size_t cores_per_node = 0;  ///< the fewest of any node
  std::size_t restarts = 0;
};
/// The allocation that this process runs in.
[[nodiscard]] Allocation current_allocation();

/// The fewest of the allocation's first nodes that hold `ranks`, or `nodes` of them if that is not 0: a run
/// on fewer nodes uses a part of those of a run on more. Throws ConfigError when they are too few.
[[nodiscard]] Placement place(const Site& site, const Allocation& allocation, std::size_t ranks,
                              std::size_t nodes);

/// "n[1-3],m5" as Slurm writes it, one by one.
[[nodiscard]] std::vector<std::string> expand_hosts(const std::string& list);

}  // namespace lockstep::sweep
