// SPDX-License-Identifier: BSD-3-Clause
// Dividing a sweep's runs among jobs of Slurm's, and submitting them.
#pragma once

#include <string>
#include <vector>

#include "core/arguments.hpp"
#include "sweep/plan.hpp"
#include "sweep/slurm/job_script.hpp"
#include "sweep/slurm/slurm.hpp"

namespace lockstep::sweep {

/// How a sweep uses Slurm. packed: one allocation makes all runs, one after another in random order, each on
/// the first of its nodes that it needs, so that runs of all sizes share nodes and nothing else runs there;
/// what scaling studies want. spread: a job array for each shape (ranks and nodes), each run wherever and
/// whenever Slurm finds room; the shortest way to many accuracies.
struct SubmitOptions {
  std::string site = "slurm";
  std::string mode = "packed";
  std::string time;       ///< of each job; "" = from the estimate
  std::string partition;  ///< "" = the site's
  std::string account;
  std::size_t at_once = 50;
  bool split = false;  ///< runs may go on over several jobs
  bool no_collect = false;

  void add_to(Arguments& command);
};
[[nodiscard]] Json to_json(const SubmitOptions& options);
[[nodiscard]] SubmitOptions submit_options(const Json& json);
/// The options' site, with what the options say instead.
[[nodiscard]] Site chosen_site(const SubmitOptions& options);

/// A job to be submitted: its script, and the run ids of each of its tasks.
struct Job {
  JobRequest request;
  std::vector<std::vector<std::string>> tasks;
};

/// Where jobs go: the site, with what its file leaves open filled in.
struct Target {
  Site site;
  std::size_t largest_array = 1001;  ///< Slurm's MaxArraySize
};
/// Filled in by what Slurm says, or, if it is not asked, by what this machine has.
[[nodiscard]] Target target_of(const SubmitOptions& options, bool ask_slurm);

/// The jobs that make these points. Throws ConfigError for runs that need more than the cluster has, or than
/// the time allows.
[[nodiscard]] std::vector<Job> divide(const Plan& plan, const std::vector<Point>& points,
                                      const SubmitOptions& options, const Target& target);

/// A job that was submitted.
struct SubmittedJob {
  std::string id, name;
  bool is_array = false;
  std::vector<std::vector<std::string>> tasks;  ///< empty for the job that collects
};
[[nodiscard]] std::vector<SubmittedJob> load_jobs(const SweepFolder& folder);

/// Writes the jobs' scripts and lists to `to`; returns the scripts' paths, in the order of the jobs.
std::vector<std::string> write_scripts(const Plan& plan, std::vector<Job>& jobs, const Site& site,
                                       const std::filesystem::path& to);

/// Submits the points' jobs and the one that collects after them; keeps the plan and a list of the jobs in
/// the folder. Nothing is submitted unless Slurm would take all of them.
void submit(Plan& plan, const std::vector<Point>& points, const SubmitOptions& options, bool extend);

}  // namespace lockstep::sweep
