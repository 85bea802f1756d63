// SPDX-License-Identifier: BSD-3-Clause
// Whether the launcher that started this process is one that this MPI library understands.
#pragma once

#include <cstddef>
#include <string>

namespace lockstep::comm {

/// A launcher that started several processes, of which this MPI library knows one alone.
struct StrangeLauncher {
  std::string variable;       ///< that counts the processes; "": all is right
  std::size_t processes = 0;  ///< as it says
  bool is_first = true;       ///< this process is the one to speak for all
};

/// Looks at the environment; `ranks` is the size of MPI's world. A run of one rank is right inside an
/// allocation of many, and inside a step whose ranks another launcher of ours started.
[[nodiscard]] StrangeLauncher find_strange_launcher(std::size_t ranks);

/// Before MPI starts, which would end the job in its own words: a step of Slurm whose several processes get
/// nothing (srun --mpi=none) by which they could find each other.
[[nodiscard]] StrangeLauncher find_unconnected_step();

/// Before MPI starts: whether this process is the first, or the only one, that a launcher started.
[[nodiscard]] bool is_first_process();

}  // namespace lockstep::comm
