// SPDX-License-Identifier: BSD-3-Clause
// The launchers' command lines, and where an allocation's ranks go.
#include "sweep/local/launcher.hpp"

#include <algorithm>
#include <array>
#include <cstdlib>
#include <iterator>
#include <sstream>

#include <fmt/format.h>
#include <unistd.h>

#include "core/names.hpp"

namespace lockstep::sweep {
namespace {

std::string variable(const char* name) {
  const char* value = std::getenv(name);
  return value != nullptr ? value : "";
}

bool is_bound(const Site& site, const Placement& placement) {
  return site.binding == "core" && !placement.share_cores;
}

std::size_t ranks_on(const Placement& placement, std::size_t host) {
  const std::size_t hosts = placement.hosts.size();
  return placement.ranks / hosts + (host < placement.ranks % hosts ? 1 : 0);
}

// Open MPI. --host counts slots, so ranks fill the cores that they were given and no others.
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
    if (placement.share_cores) words.emplace_back("--oversubscribe");
  }
  return words;
}

// Slurm's own. -c is said again since srun does not take it over from sbatch (Slurm 22.05 and later).
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

struct LauncherRow {
  std::string_view name;
  std::vector<std::string> (*words)(const Site& site, const Placement& placement);
};
constexpr std::array launchers = {LauncherRow{"mpirun", mpirun_words}, LauncherRow{"srun", srun_words}};

// "4(x2),3" -> 4, 4, 3
std::vector<std::size_t> counts(const std::string& text) {
  std::vector<std::size_t> all;
  std::stringstream parts(text);
  for (std::string part; std::getline(parts, part, ',');) {
    const std::size_t times_at = part.find("(x");
    const std::size_t times = times_at == std::string::npos ? 1 : std::stoul(part.substr(times_at + 2));
    all.insert(all.end(), times, std::stoul(part));
  }
  return all;
}

// The end of a bracket's range: "07-10" -> 07, 08, 09, 10.
void add_range(const std::string& prefix, const std::string& range, const std::string& suffix,
               std::vector<std::string>& hosts) {
  const std::size_t dash = range.find('-');
  const std::string first = range.substr(0, dash);
  const std::string last = dash == std::string::npos ? first : range.substr(dash + 1);
  for (std::size_t i = std::stoul(first); i <= std::stoul(last); ++i)
    hosts.push_back(fmt::format("{}{:0{}}{}", prefix, i, first.size(), suffix));
}

}  // namespace

LaunchLine launch_line(const Site& site, const Placement& placement,
                       const std::vector<std::string>& program) {
  LaunchLine line{
      .words =
          find_row(std::span<const LauncherRow>(launchers), "launcher", site.launcher).words(site, placement),
      .environment = {}};
  for (const auto& [name, value] : site.environment.items()) line.environment.emplace_back(name, value);
  line.environment.emplace_back("LOCKSTEP_BINDING", is_bound(site, placement) ? "core" : "none");
  if (site.launcher == "mpirun") {
    // Ranks on other nodes inherit what is named.
    for (const auto& [name, value] : line.environment) line.words.insert(line.words.end(), {"-x", name});
    if (geteuid() == 0)  // Open MPI wants to be told twice, as in a container
      for (const char* name : {"OMPI_ALLOW_RUN_AS_ROOT", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM"})
        line.environment.emplace_back(name, "1");
  }
  if (placement.share_cores) line.environment.emplace_back("OMPI_MCA_mpi_yield_when_idle", "1");
  std::ranges::copy(site.launcher_args, std::back_inserter(line.words));
  std::ranges::copy(program, std::back_inserter(line.words));
  return line;
}

Allocation current_allocation() {
  Allocation allocation{
      .job_id = variable("SLURM_JOB_ID"), .hosts = {}, .tasks = 0, .cores_per_node = 0, .restarts = 0};
  if (allocation.job_id.empty()) return allocation;
  allocation.hosts = expand_hosts(variable("SLURM_JOB_NODELIST"));
  const auto number = [](const std::string& text) { return text.empty() ? 0 : std::stoul(text); };
  allocation.tasks = number(variable("SLURM_NTASKS"));
  allocation.restarts = number(variable("SLURM_RESTART_COUNT"));
  const std::vector<std::size_t> cpus = counts(variable("SLURM_JOB_CPUS_PER_NODE"));
  if (!cpus.empty()) allocation.cores_per_node = std::ranges::min(cpus);
  return allocation;
}

Placement place(const Site& site, const Allocation& allocation, std::size_t ranks, std::size_t nodes) {
  const bool in_job = !allocation.job_id.empty();
  const std::size_t have = std::max<std::size_t>(allocation.hosts.size(), 1);
  std::size_t cores = site.cores_per_node;
  if (cores == 0) cores = in_job ? allocation.cores_per_node : usable_cores();
  cores = std::max<std::size_t>(cores, 1);
  const std::size_t fitting = (ranks + cores - 1) / cores;
  const std::size_t wanted = nodes != 0 ? nodes : site.oversubscribe ? std::min(fitting, have) : fitting;
  Placement placement{.ranks = ranks, .hosts = {}, .share_cores = ranks > wanted * cores};
  const auto fail = [&](const std::string& hint) {
    throw ConfigError(
        {fmt::format("{} rank{}{} do not fit", ranks, ranks == 1 ? "" : "s",
                     nodes != 0 ? fmt::format(" on {} node{}", nodes, nodes == 1 ? "" : "s") : ""),
         fmt::format("at most {} node{} of {} cores", have, have == 1 ? "" : "s", cores),
         fmt::format("{} node{}", wanted, wanted == 1 ? "" : "s"), hint});
  };
  if (wanted > ranks) fail("at least one rank a node");
  if (wanted > have) fail(in_job ? "ask for more nodes" : "fewer ranks, or a batch job of several nodes");
  if (placement.share_cores && !site.oversubscribe)
    fail("more nodes, or a site with \"oversubscribe\": true, as " + site.name + " is not");
  if (in_job)
    placement.hosts.assign(allocation.hosts.begin(),
                           allocation.hosts.begin() + static_cast<std::ptrdiff_t>(wanted));
  return placement;
}

std::vector<std::string> expand_hosts(const std::string& list) {
  std::vector<std::string> hosts;
  std::size_t at = 0;
  while (at < list.size()) {
    const std::size_t comma = list.find(',', at);
    const std::size_t open = list.find('[', at);
    if (open == std::string::npos || open > comma) {
      hosts.push_back(list.substr(at, comma - at));
      at = comma == std::string::npos ? list.size() : comma + 1;
      continue;
    }
    const std::size_t close = list.find(']', open);
    const std::size_t end = std::min(list.find(',', close), list.size());
    std::stringstream ranges(list.substr(open + 1, close - open - 1));
    for (std::string range; std::getline(ranges, range, ',');)
      add_range(list.substr(at, open - at), range, list.substr(close + 1, end - close - 1), hosts);
    at = end + 1;
  }
  return hosts;
}

}  // namespace lockstep::sweep
