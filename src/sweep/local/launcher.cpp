// SPDX-License-Identifier: BSD-3-Clause
// The launchers' command lines, where an allocation's ranks go, and watching a launch.
#include "sweep/local/launcher.hpp"

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <iterator>
#include <ranges>
#include <regex>
#include <string_view>

#include <fmt/format.h>
#include <unistd.h>

#include "core/error.hpp"
#include "core/home.hpp"
#include "core/names.hpp"
#include "core/text.hpp"
#include "sweep/slurm_command.hpp"

namespace lockstep::sweep {
namespace {

constexpr double look_s = 0.5;
// A training that is cut off at each start for the same reason would be queued for ever.
constexpr std::size_t most_restarts = 1000;

std::string variable(const char* name) {
  const char* value = std::getenv(name);
  return value != nullptr ? value : "";
}

std::size_t number_in(const char* name) {
  const std::string text = variable(name);
  return text.empty() ? 0 : std::stoul(text);
}

bool is_bound(const Site& site, const Placement& placement) {
  return site.binding == "core" && !placement.share_cores;
}

std::size_t ranks_on(const Placement& placement, std::size_t host) {
  const std::size_t hosts = placement.hosts.size();
  return placement.ranks / hosts + (host < placement.ranks % hosts ? 1 : 0);
}

// True if Open MPI would refuse the ranks: it counts a Slurm job's tasks, and one task may have several
// cores.
bool exceeds_tasks(const Placement& placement) {
  const std::size_t tasks = number_in("SLURM_NTASKS"), nodes = number_in("SLURM_JOB_NUM_NODES");
  if (placement.hosts.empty() || tasks == 0) return false;
  return ranks_on(placement, 0) > tasks / std::max<std::size_t>(nodes, 1);
}

// Open MPI. --host counts slots, so ranks fill exactly the cores that they were given.
std::vector<std::string> mpirun_words(const Site& site, const Placement& placement) {
  std::vector<std::string> words = {"mpirun", "-n", std::to_string(placement.ranks)};
  if (!placement.hosts.empty()) {
    std::vector<std::string> slots;
    for (std::size_t i = 0; i < placement.hosts.size(); ++i)
      slots.push_back(fmt::format("{}:{}", placement.hosts[i], ranks_on(placement, i)));
    words.insert(words.end(), {"--host", join(slots, ",")});
  }
  if (is_bound(site, placement)) {
    words.insert(words.end(), {"--map-by", "core", "--bind-to", "core", "--report-bindings"});
  } else {
    words.insert(words.end(), {"--bind-to", "none"});
  }
  if (placement.share_cores || exceeds_tasks(placement)) words.emplace_back("--oversubscribe");
  return words;
}

// Slurm's own. -c is given again, because srun does not take it over from sbatch (Slurm 22.05 and later).
std::vector<std::string> srun_words(const Site& site, const Placement& placement) {
  const std::string cpus = variable("SLURM_CPUS_PER_TASK");
  std::vector<std::string> words = {"srun", "--mpi=pmix", "--kill-on-bad-exit=1", "-n",
                                    std::to_string(placement.ranks)};
  if (!placement.hosts.empty()) {
    words.insert(words.end(),
                 {"-N", std::to_string(placement.hosts.size()), "-w", join(placement.hosts, ",")});
    if (placement.ranks % placement.hosts.size() == 0)
      words.push_back(fmt::format("--ntasks-per-node={}", ranks_on(placement, 0)));
  }
  words.insert(words.end(), {"-c", cpus.empty() ? "1" : cpus});
  words.emplace_back(is_bound(site, placement) ? "--cpu-bind=verbose,cores" : "--cpu-bind=verbose,none");
  if (placement.share_cores) words.emplace_back("--overcommit");
  return words;
}

std::vector<std::string> simulate_words(const Simulation& simulation, std::size_t ranks,
                                        const std::vector<std::string>& program) {
  std::vector<std::string> words = {(home() / "build/sim/bin/simulate").string(), std::to_string(ranks),
                                    "--cluster", simulation.file};
  std::ranges::copy(simulation.options, std::back_inserter(words));
  std::ranges::copy(program, std::back_inserter(words));
  return words;
}

// A job that was submitted inside another one inherits what that one asked for; srun refuses two of these.
std::vector<std::string> contradictions() {
  std::vector<std::string> names = {"SLURM_MEM_PER_CPU", "SLURM_MEM_PER_GPU", "SLURM_MEM_PER_NODE"};
  std::erase_if(names, [](const std::string& name) { return variable(name.c_str()).empty(); });
  if (names.size() < 2) names.clear();  // without any, a step has the memory of its job
  return names;
}

// What Slurm shows of a job; "" if it shows nothing.
std::string shown_of(const std::string& job, const std::string& key) {
  const std::string shown = slurm_command({"scontrol", "show", "job", "--oneliner", job}).out;
  const std::size_t at = shown.find(" " + key + "=");
  if (at == std::string::npos) return "";
  const std::size_t begin = at + key.size() + 2;
  return shown.substr(begin, shown.find(' ', begin) - begin);
}

// True if this job's nodes are wanted for more urgent work and it has a grace time to stop in. Slurm signals
// the ranks then, and not the batch shell.
bool is_preempted() {
  const std::string job = variable("SLURM_JOB_ID");
  if (job.empty()) return false;
  const std::string time = shown_of(job, "PreemptTime");
  return !time.empty() && time != "None";
}

}  // namespace

Allocation current_allocation() {
  Allocation allocation{.job_id = variable("SLURM_JOB_ID")};
  if (allocation.job_id.empty()) return allocation;
  allocation.hosts = expand_hosts(variable("SLURM_JOB_NODELIST"));
  allocation.tasks = number_in("SLURM_NTASKS");
  allocation.restarts = number_in("SLURM_RESTART_COUNT");
  std::vector<std::size_t> cpus;  // "4(x2),3": two nodes of 4 and one of 3
  for (const std::string& part : split(variable("SLURM_JOB_CPUS_PER_NODE"), ','))
    cpus.push_back(std::stoul(part));
  if (!cpus.empty()) allocation.cores_per_node = std::ranges::min(cpus);
  return allocation;
}

std::vector<std::string> expand_hosts(const std::string& list) {
  static const std::regex item(R"(([^,\[]*)\[([^\]]+)\]([^,]*)|[^,]+)");  // prefix[ranges]suffix, or a name
  std::vector<std::string> hosts;
  for (std::sregex_iterator at(list.begin(), list.end(), item), end; at != end; ++at) {
    const std::smatch& match = *at;
    if (!match[2].matched) hosts.push_back(match.str());
    for (const std::string& range : split(match.str(2), ',')) {
      const std::vector<std::string> ends = split(range, '-');  // "07-10", or one number
      for (std::size_t i = std::stoul(ends.front()); i <= std::stoul(ends.back()); ++i)
        hosts.push_back(fmt::format("{}{:0{}}{}", match.str(1), i, ends.front().size(), match.str(3)));
    }
  }
  return hosts;
}

Placement place(const Site& site, const Allocation& allocation, std::size_t ranks, std::size_t nodes) {
  if (site.simulation) {
    site.simulation->check(ranks, nodes);
    return {.ranks = ranks};
  }
  const bool in_job = !allocation.job_id.empty();
  Site here = site;
  here.nodes = std::max<std::size_t>(allocation.hosts.size(), 1);
  if (here.cores_per_node == 0) here.cores_per_node = in_job ? allocation.cores_per_node : usable_cores();
  here.cores_per_node = std::max<std::size_t>(here.cores_per_node, 1);
  const std::size_t taken =
      nodes_for(here, ranks, nodes,
                plural(ranks, "rank") + (nodes != 0 ? " on " + plural(nodes, "node") : "") + " do not fit",
                in_job ? "ask for more nodes" : "fewer ranks, or a batch job of several nodes");
  Placement placement{.ranks = ranks, .share_cores = ranks > taken * here.cores_per_node};
  std::ranges::copy_n(allocation.hosts.begin(),
                      static_cast<std::ptrdiff_t>(std::min(taken, allocation.hosts.size())),
                      std::back_inserter(placement.hosts));
  return placement;
}

LaunchLine launch_line(const Site& site, const Placement& placement,
                       const std::vector<std::string>& program) {
  if (site.simulation) return {.words = simulate_words(*site.simulation, placement.ranks, program)};
  const bool by_srun = site.launcher == "srun";
  LaunchLine line{.words = by_srun ? srun_words(site, placement) : mpirun_words(site, placement)};
  for (const auto& [name, value] : site.environment.items()) line.environment.emplace_back(name, value);
  line.environment.emplace_back("LOCKSTEP_BINDING", is_bound(site, placement) ? "core" : "none");
  if (!by_srun) {
    // Ranks on other nodes inherit only the variables that are named.
    for (const auto& [name, value] : line.environment) line.words.insert(line.words.end(), {"-x", name});
    if (geteuid() == 0)  // Open MPI asks twice, as in a container
      for (const char* name : {"OMPI_ALLOW_RUN_AS_ROOT", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM"})
        line.environment.emplace_back(name, "1");
  }
  line.removed = contradictions();
  // What sbatch --export left out of the job, srun would leave out of what it starts: ours, too.
  if (!variable("SLURM_EXPORT_ENV").empty()) line.environment.emplace_back("SLURM_EXPORT_ENV", "ALL");
  if (!by_srun && !placement.share_cores && exceeds_tasks(placement))  // each rank has a core all the same
    line.environment.emplace_back("OMPI_MCA_mpi_yield_when_idle", "0");
  if (placement.share_cores) line.environment.emplace_back("OMPI_MCA_mpi_yield_when_idle", "1");
  std::ranges::copy(site.launcher_args, std::back_inserter(line.words));
  std::ranges::copy(program, std::back_inserter(line.words));
  return line;
}

bool is_stop_signal(int number) {
  return number == SIGINT || number == SIGTERM || number == SIGUSR1 || number == SIGHUP;
}

Launch::Launch(const LaunchLine& line, const std::filesystem::path& log)
    : process_(start(line.words, {.added = line.environment, .removed = line.removed}, log)) {}

void Launch::signal(int number) {
  constexpr std::array escalation = {SIGUSR1, SIGTERM, SIGKILL};
  if (!is_stop_signal(number)) return;
  if (stop_signal_ == 0) stop_signal_ = number;  // one that comes as the program ends counts, too
  kill(process_, escalation[std::min(passed_on_, escalation.size() - 1)]);
  ++passed_on_;
}

std::optional<JobEnd> Launch::end() {
  const auto status = exit_status(process_);
  if (!status) return {};
  if (*status != 0 && stop_signal_ == 0 && is_preempted()) return JobEnd{interrupted_status, SIGUSR1};
  return JobEnd{.status = *status, .stop_signal = stop_signal_};
}

void check_simulator(const Site& site) {
  const std::vector<std::string> words = simulate_words(*site.simulation, 1, {"train", "--print-config"});
  if (!have_program(words.front()))
    throw ConfigError({"the site " + site.name + " needs the build for SimGrid", words.front(),
                       "no such program", "make deps DEPS=simulate && make simulate"});
  const Captured answer = capture(words);
  if (answer.status == 0) return;
  const std::string said = trimmed(answer.err);
  throw ConfigError({"the site " + site.name + " does not work: " +
                     (said.starts_with("error: ") ? said.substr(7) : said + " (" + shell_line(words) + ")")});
}

JobEnd run_watched(const LaunchLine& line, const std::filesystem::path& log, SignalWatch& signals) {
  Launch launch(line, log);
  for (;;) {
    launch.signal(signals.next(look_s));
    if (const auto end = launch.end()) return *end;
  }
}

bool is_superseded(const Allocation& allocation) {
  if (allocation.job_id.empty()) return false;
  return shown_of(allocation.job_id, "JobState") != "RUNNING" ||
         shown_of(allocation.job_id, "Restarts") != std::to_string(allocation.restarts);
}

void requeue_this_job(const Allocation& allocation) {
  if (allocation.restarts >= most_restarts)
    throw Error({.what = fmt::format("job {} was run {} times and is not queued again", allocation.job_id,
                                     allocation.restarts)});
  fmt::print(stderr, "job {}: queued again, to resume from the checkpoint\n", allocation.job_id);
  std::fflush(stderr);
  const Captured answer = slurm_command({"scontrol", "requeue", allocation.job_id});
  if (answer.status != 0) throw Error({.what = "scontrol requeue failed", .got = answer.err});
}

}  // namespace lockstep::sweep
