// SPDX-License-Identifier: BSD-3-Clause
// Reads what launchers tell their processes.
#include "comm/launcher.hpp"

#include <array>
#include <charconv>
#include <cstdlib>
#include <optional>
#include <string_view>

namespace lockstep::comm {
namespace {

struct Launcher {
  const char* processes;
  const char* rank;
};

// The first one that is there started this process: mpiexec of Open MPI runs inside steps of the others.
constexpr std::array launchers = {
    Launcher{"OMPI_COMM_WORLD_SIZE", "OMPI_COMM_WORLD_RANK"},  // Open MPI
    Launcher{"MV2_COMM_WORLD_SIZE", "MV2_COMM_WORLD_RANK"},    // MVAPICH
    Launcher{"PMI_SIZE", "PMI_RANK"},                          // MPICH, Intel MPI, srun --mpi=pmi2
    Launcher{"SLURM_STEP_NUM_TASKS", "SLURM_PROCID"},          // srun; a batch script has it not
};

std::optional<std::size_t> number(const char* variable) {
  const char* const value = std::getenv(variable);
  if (value == nullptr) return std::nullopt;
  const std::string_view text(value);
  std::size_t number = 0;
  if (std::from_chars(text.data(), text.data() + text.size(), number).ec != std::errc()) return std::nullopt;
  return number;
}

}  // namespace

StrangeLauncher find_strange_launcher(std::size_t ranks) {
  if (ranks > 1) return {};
  for (const Launcher& launcher : launchers) {
    const auto processes = number(launcher.processes);
    if (!processes) continue;
    if (*processes <= 1) return {};
    return {launcher.processes, *processes, number(launcher.rank).value_or(0) == 0};
  }
  return {};
}

StrangeLauncher find_unconnected_step() {
  for (const char* connects :
       {"OMPI_COMM_WORLD_SIZE", "MV2_COMM_WORLD_SIZE", "PMI_RANK", "PMI_FD", "PMIX_RANK"})
    if (std::getenv(connects) != nullptr) return {};
  return find_strange_launcher(1);
}

bool is_first_process() { return find_strange_launcher(1).is_first; }

}  // namespace lockstep::comm
