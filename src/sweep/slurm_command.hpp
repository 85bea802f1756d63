// SPDX-License-Identifier: BSD-3-Clause
// The one way to call Slurm's commands.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "sweep/process.hpp"

namespace lockstep::sweep {

/// Runs one of Slurm's commands, in `folder` if it is given, and waits for its end. The command sees none of
/// the variables that change what it says or asks for (SQUEUE_STATES, SBATCH_TIMELIMIT, ...), and nothing of
/// an allocation or a job step that we are called in (SLURM_MEM_PER_CPU, PMIX_RANK, ...): a job that sbatch
/// submits inherits its environment. Throws Error if the command cannot be started.
[[nodiscard]] Captured slurm_command(const std::vector<std::string>& words,
                                     const std::filesystem::path& folder = {});

/// The names of our environment's variables that begin like this, in their order of the alphabet.
[[nodiscard]] std::vector<std::string> variables_like(std::string_view prefix);

}  // namespace lockstep::sweep
