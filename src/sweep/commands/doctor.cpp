// SPDX-License-Identifier: BSD-3-Clause
// sweep doctor: what is wrong at a site. Here by jobs/doctor.sh; on a cluster by a job that runs it on its
// nodes.
#include <algorithm>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iostream>
#include <iterator>
#include <memory>
#include <string>

#include <fmt/format.h>

#include "core/error.hpp"
#include "core/home.hpp"
#include "core/names.hpp"
#include "core/text.hpp"
#include "sweep/local/launcher.hpp"
#include "sweep/slurm/slurm.hpp"
#include "sweep/slurm/submission.hpp"
#include "sweep/spec/duration.hpp"

namespace lockstep::sweep {
namespace {

namespace fs = std::filesystem;

struct Options {
  SubmitOptions submit;  // its site, partition and account
  std::string results = "results";
  std::size_t nodes = 2;
};

constexpr double job_time_s = 600.0;
constexpr double look_s = 1.0;
constexpr double file_patience_s = 30.0;  // a file of another node may be seen late

int look_here(const Options& options, const Site& site, SignalWatch& signals) {
  LaunchLine line{
      .words = {(home() / "jobs/doctor.sh").string(), "--results", fs::absolute(options.results).string()}};
  if (const auto& simulation = site.simulation) {  // on two nodes, if there are
    const std::size_t ranks = simulation->cores_per_node + 1;
    const std::size_t most = simulation->most_ranks == 0 ? ranks : simulation->most_ranks;
    line.words.insert(line.words.end(),
                      {"--simulate", std::to_string(std::min(ranks, most)), "--cluster", simulation->file});
    std::ranges::copy(simulation->options, std::back_inserter(line.words));
  }
  return run_watched(line, {}, signals).status;
}

Job job_of(const Site& site, std::size_t nodes) {
  nodes = std::min(nodes, std::max<std::size_t>(site.nodes, 1));
  return {
      .name = "lockstep-doctor",
      .comment = fmt::format("Looks what is wrong on {} of the site {}.", plural(nodes, "node"), site.name),
      .nodes = nodes,
      .cores = std::min<std::size_t>(site.cores_per_node, 2),
      .time_s = std::min(job_time_s, parse_duration("time_limit", site.time_limit))};
}

// Says what the job waits for until it has ended; returns its last state. A signal cancels it.
std::string follow(const Job& job, SignalWatch& signals) {
  std::string said;
  while (true) {
    const std::vector<QueueEntry> entries = queue_of({job});
    const QueueEntry entry = entries.empty() ? QueueEntry{.job_id = job.id} : entries.front();
    if (!entry.is_active()) return entry.state;
    const std::string state = fmt::format("job {}: {} {}", job.id, entry.state, entry.reason);
    if (state != said) fmt::print("{}\n", state);
    std::fflush(stdout);
    said = state;
    if (const int signal = signals.next(look_s); signal != 0 && signal != SIGCHLD) {
      scancel({job.id});
      throw Error({.what = fmt::format("the job {} was cancelled before it had ended", job.id)});
    }
  }
}

// Prints the job's report; false if it is not seen here.
bool print_report(const fs::path& report, SignalWatch& signals) {
  for (double waited_s = 0.0; !fs::exists(report); waited_s += look_s) {
    if (waited_s >= file_patience_s) return false;
    (void)signals.next(look_s);
  }
  std::cout << std::ifstream(report).rdbuf() << std::flush;
  return true;
}

int look_at_nodes(const Options& options, Site site, SignalWatch& signals) {
  require_slurm();
  note_unused_variables();
  complete(site, true);
  fmt::print("site {}: {} of {}, jobs of at most {}\n", site.name, plural(site.nodes, "node"),
             plural(site.cores_per_node, "core"), site.time_limit);
  Job job = job_of(site, options.nodes);
  const fs::path folder = fs::absolute(options.results) / "doctor";
  fs::create_directories(folder);
  const fs::path script = folder / "doctor.sbatch";
  write_text(script, doctor_script(job, site, folder));
  job.id = sbatch(script.string(), folder);
  const std::string state = follow(job, signals);
  const fs::path report = folder / fmt::format("slurm-{}.out", job.id);
  if (!print_report(report, signals)) {
    fmt::print(
        "  BAD   the job has ended ({}), and {} is not seen here\n"
        "        its nodes write elsewhere: --results names a folder on a file system that all share\n",
        state, visible(report.string()));
    return 1;
  }
  if (state == "COMPLETED") {
    fmt::print("nothing bad was found at the site {}\n", site.name);
    return 0;
  }
  fmt::print("the job ended as {}: the site {} has something to mend\n", state, site.name);
  return 1;
}

int look(const Options& options) {
  SignalWatch signals;
  const Site named = read_site(options.submit.site);
  if (named.scheduler != "slurm") return look_here(options, named, signals);
  return look_at_nodes(options, chosen_site(options.submit), signals);
}

}  // namespace

std::function<int()> set_up_doctor(Arguments& command) {
  const auto options = std::make_shared<Options>();
  options->submit.site = "local";
  command.option("--site", options->submit.site, "site of jobs/sites/, a file, or sim:CLUSTER")
      .shows_default();
  command.option("--partition", options->submit.partition, "instead of the site's; one or more: a,b");
  command.option("--account", options->submit.account, "instead of the site's");
  command.option("-N,--nodes", options->nodes, "so many nodes at most").shows_default();
  command.option("--results", options->results, "the folder that runs will be written to").shows_default();
  return [options] { return look(*options); };
}

}  // namespace lockstep::sweep
