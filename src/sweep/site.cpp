// SPDX-License-Identifier: BSD-3-Clause
// Reading a site's file, and what this machine is.
#include "sweep/site.hpp"

#include <algorithm>
#include <string_view>

#include <fmt/format.h>

#include "core/home.hpp"
#include "core/json_text.hpp"
#include "core/names.hpp"
#include "core/text.hpp"
#include "record/binding.hpp"
#include "record/provenance.hpp"
#include "simulate/cluster.hpp"
#include "sweep/spec/duration.hpp"
#include "sweep/spec/spec_sections.hpp"

namespace lockstep::sweep {
namespace {

namespace fs = std::filesystem;

void fill(Site& site, const Json& given) {
  if (!given.is_object())
    throw ConfigError({.what = "it holds no site", .expected = "a JSON object: {\"scheduler\": ...}"});
  Options options;
  site.describe(options);
  options.set(given, "key");
  if (!site.environment.is_object())
    throw ConfigError(
        {"bad value for environment", "an object {NAME: \"value\", ...}", site.environment.dump()});
  for (const auto& [name, value] : site.environment.items())
    if (!value.is_string())
      throw ConfigError(
          {"bad value for environment." + name, "a text", value.dump(), "quote numbers: \"1\""});
  (void)parse_duration("time_limit", site.time_limit);
}

constexpr std::string_view simulated = "sim:";

nlohmann::json identity_of(simulate::Cluster cluster, const std::vector<std::string>& words) {
  Options options, defaults;
  cluster.describe(options);
  simulate::Cluster none;
  none.describe(defaults);
  const Json values = options.values(), default_values = defaults.values();
  nlohmann::json identity = nlohmann::json::object();
  for (const auto& [key, value] : values.items())
    if (value != default_values.at(key)) identity[key] = value;
  for (const char* no_time : {"name", "source", "most_ranks"}) identity.erase(no_time);
  if (!words.empty()) identity["options"] = words;
  return identity;
}

Site simulated_site(const std::string& word) {
  const std::size_t name_end = std::min(word.find(" -"), word.size());
  const std::string name = trimmed(word.substr(simulated.size(), name_end - simulated.size()));
  std::vector<std::string> options = split(word.substr(name_end), ' ');
  std::erase(options, "");
  const simulate::Cluster cluster = simulate::read_cluster(name);
  check_folder_name("cluster", cluster.stem);
  const fs::path file = fs::absolute(find_json_file("cluster", name, "jobs/clusters")).lexically_normal();
  const std::string given = fs::path(name).extension() == ".json" ? file.string() : name;
  Site site;
  site.name = word;
  site.file = file;
  site.title = cluster.name;
  site.runs_at_once = usable_cores();
  site.simulation = {.site = std::string(simulated) + given + word.substr(name_end),
                     .cluster = cluster.stem,
                     .file = file,
                     .cores_per_node = cluster.cores_per_node,
                     .most_ranks = cluster.most_ranks,
                     .options = options,
                     .identity = identity_of(cluster, options)};
  return site;
}

}  // namespace

Site site_of(const Json& given, const fs::path& path) {
  Site site;
  site.name = path.stem();
  site.file = fs::absolute(path).lexically_normal();
  in_context(path.string(), [&] { fill(site, given); });
  return site;
}

void Site::describe(Options& options) {
  options.add("title", &title, "what site this is");
  options.add("scheduler", &scheduler, "what assigns nodes to jobs").one_of({"none", "slurm"});
  options.add("launcher", &launcher, "what starts the ranks").one_of({"mpirun", "srun"});
  options.add("launcher_args", &launcher_args, "arguments of the launcher, after our own");
  options.add("setup", &setup, "lines of shell at the head of every job");
  options.add("environment", &environment, "variables of every run");
  options.add("partition", &partition, "default of sbatch --partition");
  options.add("account", &account, "default of sbatch --account");
  options.add("qos", &qos, "default of sbatch --qos");
  options.add("constraint", &constraint, "default of sbatch --constraint");
  options.add("sbatch_args", &sbatch_args, "further options of sbatch");
  options.add("binding", &binding, "what each rank is bound to").one_of({"core", "none"});
  options.add("cores_per_node", &cores_per_node, "physical cores of a node; 0: what Slurm says");
  options.add("nodes", &nodes, "the most nodes that a job can have; 0: what Slurm says");
  options.add("oversubscribe", &oversubscribe, "ranks may share cores if there are more of them");
  options.add("time_limit", &time_limit, "the longest that a job may ask for");
  options.add("gflops_per_core", &gflops_per_core, "for estimates: the rate of training").above(0);
}

Site read_site(const std::string& name_or_path) {
  if (name_or_path.starts_with(simulated)) return simulated_site(name_or_path);
  const fs::path path = find_json_file("site", name_or_path, "jobs/sites");
  return site_of(read_json_file(path), path);
}

std::size_t nodes_for(const Site& site, std::size_t ranks, std::size_t nodes, const std::string& problem,
                      const std::string& way_out) {
  const std::size_t most = site.nodes != 0 ? site.nodes : ranks;
  const std::size_t fitting = (ranks + site.cores_per_node - 1) / site.cores_per_node;
  std::size_t taken = nodes != 0 ? nodes : fitting;
  if (nodes == 0 && site.oversubscribe) taken = std::min(fitting, most);
  const auto refuse = [&](const std::string& hint) {
    throw ConfigError({problem,
                       fmt::format("at most {} of {} cores", plural(most, "node"), site.cores_per_node),
                       fmt::format("{} on {}", plural(ranks, "rank"), plural(taken, "node")), hint});
  };
  if (taken > ranks) refuse("at least one rank a node");
  if (taken > most) refuse(way_out);
  if (taken < fitting && !site.oversubscribe)
    refuse("more nodes, or a site with \"oversubscribe\": true, as " + site.name + " is not");
  return taken;
}

std::size_t usable_cores() { return std::max<std::size_t>(record::cores_of(record::binding()), 1); }

}  // namespace lockstep::sweep
