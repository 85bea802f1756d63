// SPDX-License-Identifier: BSD-3-Clause
// The text of batch scripts.
#include "sweep/slurm/job_script.hpp"

#include <algorithm>
#include <filesystem>
#include <string_view>
#include <utility>

#include <fmt/format.h>

#include "core/error.hpp"
#include "core/home.hpp"
#include "core/json.hpp"
#include "sweep/process.hpp"
#include "sweep/spec/duration.hpp"

namespace lockstep::sweep {
namespace {

// The one way to write a value into a line of sbatch's, which has quotes, escapes and comments of its own.
std::string sbatch_line(const std::string& option, const std::string& value) {
  const auto is_bad = [](unsigned char c) {
    return c < ' ' || c == 127 ||
           std::string_view(" '\"\\#").find(static_cast<char>(c)) != std::string_view::npos;
  };
  if (std::ranges::any_of(value, is_bad))
    throw ConfigError({"a job script cannot hold --" + option, "no blank, line end, quote, # or \\ in it",
                       Json(value).dump(-1, ' ', true, Json::error_handler_t::replace)});
  return fmt::format("#SBATCH --{}={}\n", option, value);
}

// Slurm expands its symbols (%j) in the folder's name too, and drops what it takes for escapes.
void check_folder_of_logs(const std::filesystem::path& folder) {
  const std::string path = std::filesystem::weakly_canonical(folder).string();
  if (path.find_first_of("%\\") != std::string::npos)
    throw ConfigError({"Slurm cannot write the logs of jobs to " + path, "a path without % and \\", path,
                       "--results names another folder"});
}

// `setup` and `command` are lines of shell.
std::string script(const std::string& comment, const std::vector<std::string>& options, const Site& site,
                   const std::string& setup, const std::string& command) {
  std::string text = "#!/usr/bin/env bash\n# " + comment + "\n";
  for (const std::string& option : options) text += "#SBATCH --" + option + "\n";
  for (const auto& [option, value] :
       {std::pair("partition", site.partition), std::pair("account", site.account),
        std::pair("qos", site.qos), std::pair("constraint", site.constraint)})
    if (!value.empty()) text += sbatch_line(option, value);
  for (const std::string& argument : site.sbatch_args) {  // as written: it may have quotes
    if (argument.find('\n') != std::string::npos)
      throw ConfigError(
          {"a line end in sbatch_args of the site " + site.name, "one option in each", argument});
    text += "#SBATCH " + argument + "\n";
  }
  text += setup + "set -euo pipefail\n";
  for (const std::string& line : site.setup) text += line + "\n";
  text += "export LOCKSTEP_HOME=" + shell_line({home().string()}) + "\ncd \"$LOCKSTEP_HOME\"\n";
  return text + "exec " + command + "\n";
}

std::string absolute_path(const std::filesystem::path& path) {
  return std::filesystem::absolute(path).lexically_normal().string();
}

}  // namespace

double signal_lead_s(double time_s) { return std::clamp(time_s / 5.0, 15.0, 120.0); }

std::string job_script(const Job& job, const Site& site, const SweepFolder& folder,
                       const std::string& list_file) {
  check_folder_of_logs(folder.logs());
  const std::string at_once = job.at_once > 0 ? fmt::format("%{}", job.at_once) : "";
  const std::vector<std::string> options = {
      "job-name=" + job.name,
      fmt::format("nodes={}", job.nodes),
      fmt::format("ntasks-per-node={}", job.cores),
      "cpus-per-task=1",
      "hint=nomultithread",
      "time=" + duration_text(job.time_s),
      job.is_array ? fmt::format("array=0-{}{}", job.tasks.size() - 1, at_once) : "exclusive",
      fmt::format("signal=B:USR1@{:.0f}", signal_lead_s(job.time_s)),
      "requeue",
      "open-mode=append",
      std::string("output=") + (job.is_array ? "slurm-%A_%a.out" : "slurm-%j.out")};
  const std::string command =
      shell_line({absolute_path(sibling_program("sweep")), "work", absolute_path(folder.root()), "--site",
                  site.file, "--list", list_file, "--cores-per-node", std::to_string(site.cores_per_node)});
  return script(
      job.comment, options, site,
      "# USR1 comes in time for a checkpoint; the job is then queued again and resumes.\n"
      "trap 'exec scontrol requeue \"$SLURM_JOB_ID\"' USR1  # until sweep work handles the signal\n",
      command + (job.is_array ? " --task \"$SLURM_ARRAY_TASK_ID\"" : ""));
}

std::string collect_script(const std::string& sweep_name, const Site& site, const SweepFolder& folder) {
  return script(
      "Sums up the sweep " + sweep_name + " when its jobs have ended.",
      {"job-name=" + sweep_name + "-collect", "nodes=1", "ntasks=1", "time=0:10:00", "output=collect-%j.out"},
      site, "", shell_line({absolute_path(home() / "jobs" / "collect.sh"), absolute_path(folder.root())}));
}

std::string doctor_script(const Job& job, const Site& site, const std::filesystem::path& folder) {
  check_folder_of_logs(folder);
  return script(job.comment,
                {"job-name=" + job.name, fmt::format("nodes={}", job.nodes),
                 fmt::format("ntasks-per-node={}", job.cores), "cpus-per-task=1", "hint=nomultithread",
                 "time=" + duration_text(job.time_s), "output=slurm-%j.out"},
                site, "",
                shell_line({absolute_path(home() / "jobs" / "doctor_job.sh"),
                            absolute_path(sibling_program("sweep")), site.file, absolute_path(folder)}));
}

}  // namespace lockstep::sweep
