// SPDX-License-Identifier: BSD-3-Clause
// The text of batch scripts.
#include "sweep/slurm/job_script.hpp"

#include <algorithm>
#include <filesystem>
#include <string_view>
#include <utility>

#include <fmt/format.h>

#include "sweep/process.hpp"
#include "sweep/spec/duration.hpp"

namespace lockstep::sweep {
namespace {

constexpr std::string_view job_text = R"(#!/usr/bin/env bash
# {comment}
#SBATCH --job-name={name}
#SBATCH --nodes={nodes}
#SBATCH --ntasks-per-node={cores}
#SBATCH --cpus-per-task=1
#SBATCH --hint=nomultithread
#SBATCH --time={time}
#SBATCH --{array_or_exclusive}
# The batch shell gets this signal in time for a checkpoint; the job is then queued again and resumes.
#SBATCH --signal=B:USR1@{lead_s:.0f}
#SBATCH --requeue
#SBATCH --open-mode=append
#SBATCH --output={log}
{site_options}
trap 'exec scontrol requeue "$SLURM_JOB_ID"' USR1  # until sweep work handles the signal
set -euo pipefail
{site_setup}
exec {command}
)";

constexpr std::string_view collect_text = R"(#!/usr/bin/env bash
# Sums up the sweep {sweep} when its jobs have ended.
#SBATCH --job-name={sweep}-collect
#SBATCH --nodes=1
#SBATCH --ntasks=1
#SBATCH --time=0:10:00
#SBATCH --output={log}
{site_options}
set -euo pipefail
{site_setup}
exec {command}
)";

std::string site_options(const Site& site) {
  std::string lines = "# Options of the site " + site.name;
  for (const auto& [option, value] :
       {std::pair("partition", site.partition), std::pair("account", site.account),
        std::pair("qos", site.qos), std::pair("constraint", site.constraint)})
    if (!value.empty()) lines += fmt::format("\n#SBATCH --{}={}", option, value);
  for (const std::string& argument : site.sbatch_args) lines += "\n#SBATCH " + argument;
  return lines;
}

std::string site_setup(const Site& site) {
  std::string lines;
  for (const std::string& line : site.setup) lines += line + "\n";
  return lines + "export LOCKSTEP_HOME=" + shell_line({home().string()}) + "\ncd \"$LOCKSTEP_HOME\"";
}

std::string absolute_path(const std::filesystem::path& path) {
  return std::filesystem::absolute(path).lexically_normal().string();
}

}  // namespace

double signal_lead_s(double time_s) { return std::clamp(time_s / 5.0, 15.0, 120.0); }

std::string job_script(const Job& job, const Site& site, const SweepFolder& folder,
                       const std::string& list_file) {
  const std::string at_once = job.at_once > 0 ? fmt::format("%{}", job.at_once) : "";
  const std::string array = fmt::format("array=0-{}{}", job.tasks.size() - 1, at_once);
  const std::string command =
      shell_line({absolute_path(sibling_program("sweep")), "work", absolute_path(folder.root()), "--site",
                  site.file, "--list", list_file, "--cores-per-node", std::to_string(site.cores_per_node)});
  const auto log = folder.state() / "log" / (job.is_array ? "slurm-%A_%a.out" : "slurm-%j.out");
  return fmt::format(job_text, fmt::arg("comment", job.comment), fmt::arg("name", job.name),
                     fmt::arg("nodes", job.nodes), fmt::arg("cores", job.cores),
                     fmt::arg("time", duration_text(job.time_s)),
                     fmt::arg("array_or_exclusive", job.is_array ? array : "exclusive"),
                     fmt::arg("lead_s", signal_lead_s(job.time_s)), fmt::arg("log", absolute_path(log)),
                     fmt::arg("site_options", site_options(site)), fmt::arg("site_setup", site_setup(site)),
                     fmt::arg("command", command + (job.is_array ? " --task \"$SLURM_ARRAY_TASK_ID\"" : "")));
}

std::string collect_script(const std::string& sweep_name, const Site& site, const SweepFolder& folder) {
  const std::string command =
      shell_line({absolute_path(home() / "jobs" / "collect.sh"), absolute_path(folder.root())});
  return fmt::format(collect_text, fmt::arg("sweep", sweep_name),
                     fmt::arg("log", absolute_path(folder.state() / "log" / "collect-%j.out")),
                     fmt::arg("site_options", site_options(site)), fmt::arg("site_setup", site_setup(site)),
                     fmt::arg("command", command));
}

}  // namespace lockstep::sweep
