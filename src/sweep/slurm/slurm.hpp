// SPDX-License-Identifier: BSD-3-Clause
// Talking to Slurm through its own commands; its messages are passed on as they are.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "sweep/site.hpp"

namespace lockstep::sweep {

/// True if this machine has Slurm's commands.
[[nodiscard]] bool have_slurm();
/// True if a controller answers them, too.
[[nodiscard]] bool slurm_answers();

/// Throws ConfigError unless this machine has Slurm's commands and its controller answers.
void require_slurm();

/// What nodes a job can have, as far as Slurm tells; 0 = not known.
struct ClusterSize {
  std::size_t nodes = 0;
  std::size_t cores_per_node = 0;  ///< physical ones
  double longest_s = 0.0;          ///< that a job may ask for
};
/// Of the partition, or of the default one if that is "". Throws ConfigError for one that does not exist.
[[nodiscard]] ClusterSize cluster_size(const std::string& partition);

/// The greatest index of a job array, plus one.
[[nodiscard]] std::size_t max_array_size();

/// Submits a script; returns the job's id. Throws ConfigError with Slurm's message.
[[nodiscard]] std::string sbatch(const std::string& script, const std::vector<std::string>& options = {});
/// What Slurm says of a script without taking it. Throws ConfigError with Slurm's message.
std::string sbatch_test(const std::string& script);

/// A job, or one task of an array, that is waiting or running.
struct QueueEntry {
  std::string job_id;               ///< of the whole array
  std::optional<std::size_t> task;  ///< index in the array
  std::string state;                ///< PENDING, RUNNING, ...
  std::string reason;               ///< why it waits, or its nodes
};
/// Those of these jobs that are still to end.
[[nodiscard]] std::vector<QueueEntry> queue_of(const std::vector<std::string>& job_ids);

/// How a job ended, e.g. "TIMEOUT"; "" when Slurm has forgotten it. `task` as in QueueEntry.
[[nodiscard]] std::string end_state(const std::string& job_id, std::optional<std::size_t> task);

void scancel(const std::vector<std::string>& job_ids);

}  // namespace lockstep::sweep
