// SPDX-License-Identifier: BSD-3-Clause
// Dividing a sweep's runs among Slurm jobs, and submitting them.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "core/arguments.hpp"
#include "sweep/plan.hpp"
#include "sweep/slurm/job_script.hpp"

namespace lockstep::sweep {

/// How a sweep uses Slurm. packed: one allocation makes all runs, one after another in random order, each on
/// the first nodes of the allocation; so runs of all sizes share nodes, and nothing else runs there, as
/// scaling studies need it. spread: a job array for each shape (ranks and nodes), each run where and when
/// Slurm has room: the shortest way to many accuracies.
struct SubmitOptions {
  std::string site = "slurm";
  std::string mode = "packed";
  std::string time;       ///< of each job; "" = from the estimate
  std::string partition;  ///< "" = the site's
  std::string account;
  std::size_t at_once = 50;
  bool split = false;  ///< runs may continue in later jobs
  bool no_collect = false;

  void add_to(Arguments& command);
};
[[nodiscard]] SubmitOptions submit_options(const Json& json);

/// The options' site, with the partition and account that the options name instead, or else SBATCH_PARTITION,
/// SBATCH_ACCOUNT, SBATCH_QOS and SBATCH_CONSTRAINT.
[[nodiscard]] Site chosen_site(const SubmitOptions& options);
/// Says which other SBATCH_* variables the user has set, because they have no effect.
void note_unused_variables();
/// Fills in what the site's file leaves open: by what Slurm says, or else by what this machine has.
void complete(Site& site, bool ask_slurm);

/// The jobs that make these points; the site is complete. Throws ConfigError for runs that need more than the
/// cluster has, or than the time allows.
[[nodiscard]] std::vector<Job> divide(const Plan& plan, const std::vector<Point>& points,
                                      const SubmitOptions& options, const Site& site);

/// Writes the jobs' scripts and lists to `to`; returns the scripts' paths, in the order of the jobs.
std::vector<std::string> write_scripts(const Plan& plan, const std::vector<Job>& jobs, const Site& site,
                                       const std::filesystem::path& to);

/// Removes what write_scripts has written to a folder, and nothing else.
void remove_scripts(const std::filesystem::path& from);

/// The jobs that were submitted so far: id, name, is_array and tasks.
[[nodiscard]] std::vector<Job> load_jobs(const SweepFolder& folder);

/// Submits the points' jobs, and the one that collects after them; keeps the plan and a list of the jobs in
/// the folder. Submits nothing unless Slurm would accept all of them.
void submit(Plan& plan, const std::vector<Point>& points, const SubmitOptions& options, bool extend);

}  // namespace lockstep::sweep
