// SPDX-License-Identifier: BSD-3-Clause
// Slurm through its own commands. Its messages are passed on as they are.
#pragma once

#include <cstddef>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "sweep/slurm/job_script.hpp"

namespace lockstep::sweep {

/// True if this machine has Slurm's commands.
[[nodiscard]] bool have_slurm();
/// True if a controller answers them as well.
[[nodiscard]] bool slurm_answers();

/// Throws ConfigError unless this machine has Slurm's commands and its controller answers.
void require_slurm();

/// Fills in what the site's file leaves open, by what Slurm says of its partition (of the default one if it
/// names none): nodes, cores, a shorter time limit. With several ("a,b"): the most nodes and the longest time
/// that one of them has, and the fewest cores. Throws ConfigError if there is no such partition.
void complete_from_slurm(Site& site);

/// Submits a script, in the folder of its logs; returns the job's id. Throws ConfigError with Slurm's
/// message.
[[nodiscard]] std::string sbatch(const std::string& script, const std::filesystem::path& folder,
                                 const std::vector<std::string>& options = {});
/// What Slurm says of a script without queueing it. Throws ConfigError with Slurm's message.
std::string sbatch_test(const std::string& script);

/// A job, or one task of an array.
struct QueueEntry {
  std::string job_id;                    ///< of the whole array
  std::optional<std::size_t> task = {};  ///< index in the array
  std::string state = {};                ///< PENDING, RUNNING, FAILED, ...; "": Slurm has forgotten it
  std::string reason = {};               ///< why it waits or has failed, in brackets; or its nodes

  /// As Slurm writes it: "JOB" or "JOB_TASK".
  [[nodiscard]] std::string name() const;
  /// It waits or runs.
  [[nodiscard]] bool is_active() const;
  [[nodiscard]] bool is_running() const { return state == "RUNNING" || state == "COMPLETING"; }
};
/// The entries of these jobs that Slurm has not forgotten.
[[nodiscard]] std::vector<QueueEntry> queue_of(const std::vector<Job>& jobs);

void scancel(const std::vector<std::string>& job_ids);

}  // namespace lockstep::sweep
