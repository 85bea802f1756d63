// SPDX-License-Identifier: BSD-3-Clause
// The text of batch scripts.
#include "sweep/slurm/job_script.hpp"

#include <algorithm>
#include <vector>

#include <fmt/format.h>

#include "sweep/process.hpp"
#include "sweep/spec/duration.hpp"

namespace lockstep::sweep {
namespace {

namespace fs = std::filesystem;

class Script {
 public:
  explicit Script(const std::string& comment) {
    line("#!/usr/bin/env bash");
    line("# " + comment);
  }
  void line(const std::string& text) { text_ += text + "\n"; }
  void option(const std::string& name, const std::string& value) { line("#SBATCH --" + name + "=" + value); }
  void option_if(const std::string& name, const std::string& value) {
    if (!value.empty()) option(name, value);
  }

  // What every job of a site begins with.
  void add_site(const Site& site) {
    option_if("partition", site.partition);
    option_if("account", site.account);
    option_if("qos", site.qos);
    option_if("constraint", site.constraint);
    for (const std::string& argument : site.sbatch_args) line("#SBATCH " + argument);
  }
  void add_body(const Site& site, const std::vector<std::string>& words, const std::string& rest) {
    line("set -euo pipefail");
    for (const std::string& setup : site.setup) line(setup);
    line("export LOCKSTEP_HOME=" + shell_line({home().string()}));
    line("cd \"$LOCKSTEP_HOME\"");
    line("exec " + shell_line(words) + rest);
  }
  [[nodiscard]] const std::string& text() const { return text_; }

 private:
  std::string text_;
};

std::string absolute_path(const fs::path& path) { return fs::absolute(path).lexically_normal().string(); }

}  // namespace

double signal_lead_s(double time_s) { return std::clamp(time_s / 5.0, 15.0, 120.0); }

std::string job_script(const JobRequest& job, const Site& site, const SweepFolder& folder) {
  Script script(job.comment);
  script.option("job-name", job.name);
  script.option("nodes", std::to_string(job.nodes));
  script.option("ntasks-per-node", std::to_string(job.cores));
  script.option("cpus-per-task", "1");
  script.option("hint", "nomultithread");
  if (job.exclusive) script.line("#SBATCH --exclusive");
  script.option("time", duration_text(job.time_s));
  if (job.tasks > 0)
    script.option("array", fmt::format("0-{}{}", job.tasks - 1,
                                       job.at_once > 0 ? fmt::format("%{}", job.at_once) : ""));
  script.line("# To the batch shell, in time for a checkpoint; the job is then queued again and goes on.");
  script.option("signal", fmt::format("B:USR1@{:.0f}", signal_lead_s(job.time_s)));
  script.line("#SBATCH --requeue");
  script.option("open-mode", "append");
  script.option("output",
                absolute_path(folder.state() / "log" / (job.tasks > 0 ? "slurm-%A_%a.out" : "slurm-%j.out")));
  script.add_site(site);
  script.line("trap 'exec scontrol requeue \"$SLURM_JOB_ID\"' USR1  # until sweep takes the signal over");
  std::vector<std::string> words = {absolute_path(sibling_program("sweep")),
                                    "work",
                                    absolute_path(folder.root()),
                                    "--site",
                                    site.file,
                                    "--list",
                                    job.list_file,
                                    "--cores-per-node",
                                    std::to_string(site.cores_per_node)};
  script.add_body(site, words, job.tasks > 0 ? " --task \"$SLURM_ARRAY_TASK_ID\"" : "");
  return script.text();
}

std::string collect_script(const std::string& name, const Site& site, const SweepFolder& folder) {
  Script script("Sums up the sweep " + name + " when its jobs have ended.");
  script.option("job-name", name + "-collect");
  script.option("nodes", "1");
  script.option("ntasks", "1");
  script.option("time", "0:10:00");
  script.option("output", absolute_path(folder.state() / "log" / "collect-%j.out"));
  script.add_site(site);
  script.add_body(site, {absolute_path(home() / "jobs" / "collect.sh"), absolute_path(folder.root())}, "");
  return script.text();
}

}  // namespace lockstep::sweep
