// SPDX-License-Identifier: BSD-3-Clause
// Slurm through its own commands. Its messages are passed on as they are.
#pragma once

#include <cstddef>
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
/// names none): nodes, cores, a shorter time limit. Throws ConfigError if there is no such partition.
void complete_from_slurm(Site& site);

/// Submits a script; returns the job's id. Throws ConfigError with Slurm's message.
[[nodiscard]] std::string sbatch(const std::string& script, const std::vector<std::string>& options = {});
/// What Slurm says of a script without queueing it. Throws ConfigError with Slurm's message.
std::string sbatch_test(const std::string& script);

/// A job, or one task of an array.
struct QueueEntry {
  std::string job_id;                    ///< of the whole array
  std::optional<std::size_t> task = {};  ///< index in the array
  std::string state = {};                ///< PENDING, RUNNING, ...; "": it is not in the queue any more
  std::string reason = {};               ///< why it waits, or its nodes

  /// As Slurm writes it: "JOB" or "JOB_TASK".
  [[nodiscard]] std::string name() const;
  [[nodiscard]] bool is_active() const { return !state.empty(); }
  [[nodiscard]] bool is_running() const { return state == "RUNNING" || state == "COMPLETING"; }
};
/// The entries of these jobs that wait or run.
[[nodiscard]] std::vector<QueueEntry> queue_of(const std::vector<Job>& jobs);

/// How a job or task ended, e.g. "TIMEOUT"; "" if Slurm has forgotten it.
[[nodiscard]] std::string end_state(const QueueEntry& job);

void scancel(const std::vector<std::string>& job_ids);

}  // namespace lockstep::sweep
