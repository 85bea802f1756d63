// SPDX-License-Identifier: BSD-3-Clause
// What Slurm's commands do not see of our environment.
#include "sweep/slurm_command.hpp"

#include <algorithm>
#include <array>

#include <unistd.h>

namespace lockstep::sweep {
namespace {

// Of Slurm's commands, and of launchers that we may have been started by.
constexpr std::array<std::string_view, 11> prefixes = {"SLURM_", "SBATCH_", "SQUEUE_",         "SINFO_",
                                                       "SRUN_",  "SALLOC_", "SCANCEL_",        "SCONTROL_",
                                                       "PMIX_",  "PMI_",    "OMPI_COMM_WORLD_"};
// They say where the controller is, and who we are.
constexpr std::array<std::string_view, 5> kept = {"SLURM_CONF", "SLURM_CONF_SERVER", "SLURM_JWT",
                                                  "SLURM_SACK_KEY", "SLURM_SACK_JWKS"};

}  // namespace

std::vector<std::string> variables_like(std::string_view prefix) {
  std::vector<std::string> names;
  for (char** variable = environ; variable != nullptr && *variable != nullptr; ++variable) {
    const std::string_view text(*variable);
    if (text.starts_with(prefix)) names.emplace_back(text.substr(0, text.find('=')));
  }
  std::ranges::sort(names);
  return names;
}

Captured slurm_command(const std::vector<std::string>& words, const std::filesystem::path& folder) {
  Surroundings surroundings{.folder = folder};
  for (const std::string_view prefix : prefixes)
    for (const std::string& name : variables_like(prefix))
      if (std::ranges::find(kept, name) == kept.end()) surroundings.removed.push_back(name);
  return capture(words, surroundings);
}

}  // namespace lockstep::sweep
