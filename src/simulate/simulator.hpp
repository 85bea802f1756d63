// SPDX-License-Identifier: BSD-3-Clause
// Runs the ranks of a program on a simulated cluster; alone knows SimGrid.
#pragma once

#include <cstddef>
#include <functional>

#include "simulate/cluster.hpp"
#include "simulate/kernel_table.hpp"

namespace lockstep::simulate {

/// How the time is found that ranks compute.
struct Computing {
  const KernelTable* kernels = nullptr;  ///< their times; nullptr: the time that it takes here is measured
  bool arithmetic = true;                ///< false: nothing is computed, it only takes its time
};

/// Runs `rank`, a program from MPI_Init to MPI_Finalize, as each of `ranks` ranks of a job on `cluster`,
/// which fill node after node. Returns the largest of their exit statuses; 5 if some wait for ever. Each
/// rank's time at work between MPI calls is that of `computing`, over the cluster's core_speed. Once a
/// process.
[[nodiscard]] int run(const Cluster& cluster, const Computing& computing, std::size_t ranks,
                      const std::function<int()>& rank);

}  // namespace lockstep::simulate
