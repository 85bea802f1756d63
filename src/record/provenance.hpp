// SPDX-License-Identifier: BSD-3-Clause
// Where a run's numbers come from: the build, the machine, the environment, the memory in use.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "core/json_fwd.hpp"

namespace lockstep::record {

/// Version, commit, compiler and its flags, configuration, library versions.
[[nodiscard]] Json build_provenance();

/// This machine: host name, CPU, caches, memory, kernel, frequency policy. A number that the system does not
/// give is left out; a text is then "unknown".
[[nodiscard]] Json host_provenance();

/// The environment variables that control Slurm, MPI, OpenMP and the BLAS, but none that may be secret.
[[nodiscard]] Json environment_provenance();
/// Whether environment_provenance has the variable of this name.
[[nodiscard]] bool is_recorded_variable(std::string_view name);
/// A variable's value up to the first secret in it, then "...": "ALL,API_KEY=..." for "ALL,API_KEY=abc,A=b",
/// since nothing says where a secret ends. Secrets are what names like those left out are set to, and the
/// users of URLs.
[[nodiscard]] std::string without_secrets(const std::string& value);

/// The job that this process belongs to, as far as Slurm's environment variables are set:
/// slurm_job_id, slurm_array_job_id, slurm_array_task_id, slurm_step_id, slurm_job_partition, slurm_nodelist
/// (texts) and slurm_restart_count (a number).
[[nodiscard]] Json slurm_provenance();

/// Now, as ISO 8601 in UTC: "2025-01-31T12:34:56Z".
[[nodiscard]] std::string utc_now();

/// The memory of this process.
struct MemoryUse {
  std::uint64_t peak_rss_bytes = 0;  ///< the most that was resident, shared pages included
  std::uint64_t private_bytes = 0;   ///< resident now, and shared with no other process
};
[[nodiscard]] MemoryUse memory_use();

}  // namespace lockstep::record
