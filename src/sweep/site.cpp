// SPDX-License-Identifier: BSD-3-Clause
// Reading a site's file, and what this machine is.
#include "sweep/site.hpp"

#include <algorithm>
#include <array>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <optional>
#include <set>

#include <fmt/format.h>
#include <sched.h>

#include "core/json.hpp"
#include "core/names.hpp"
#include "sweep/spec/duration.hpp"
#include "sweep/spec/json_text.hpp"

namespace lockstep::sweep {
namespace {

namespace fs = std::filesystem;

// The lists, which plain options do not hold.
struct ListField {
  const char* key;
  std::vector<std::string> Site::*place;
};
constexpr std::array<ListField, 3> list_fields = {
    {{"launcher_args", &Site::launcher_args}, {"setup", &Site::setup}, {"sbatch_args", &Site::sbatch_args}}};

std::vector<std::string> texts(const std::string& key, const Json& value) {
  const bool right =
      value.is_array() && std::ranges::all_of(value, [](const Json& v) { return v.is_string(); });
  if (!right) throw ConfigError({"bad value for " + key, "a list of texts: [\"...\", ...]", value.dump()});
  return value.get<std::vector<std::string>>();
}

void check_environment(const Json& environment) {
  for (const auto& [name, value] : environment.items())
    if (!value.is_string())
      throw ConfigError(
          {"bad value for environment." + name, "a text", value.dump(), "quote numbers: \"1\""});
}

void take(Site& site, const Json& given) {
  Options options;
  site.describe(options);
  std::vector<std::string> known = options.keys();
  for (const ListField& list : list_fields) known.emplace_back(list.key);
  for (const auto& [key, value] : given.items()) {
    const auto list =
        std::ranges::find(list_fields, key, [](const ListField& l) { return std::string(l.key); });
    if (Option* option = options.find(key)) {
      option->set(value);
    } else if (list != list_fields.end()) {
      site.*(list->place) = texts(key, value);
    } else {
      throw unknown_name("key", key, known);
    }
  }
  check_environment(site.environment);
  (void)parse_duration("time_limit", site.time_limit);
}

Json parse(const fs::path& path) {
  std::ifstream file(path);
  if (!file) throw ConfigError({.what = "cannot read the file"});
  Json json = parse_json({std::istreambuf_iterator<char>(file), {}});
  if (json.is_object()) return json;
  throw ConfigError({.what = "it holds no site", .expected = "a JSON object: {\"scheduler\": ...}"});
}

fs::path this_program() { return fs::canonical("/proc/self/exe"); }

std::optional<fs::path> find_home() {
  if (const char* given = std::getenv("LOCKSTEP_HOME"); given != nullptr && *given != '\0') return given;
  for (fs::path folder = this_program().parent_path(); folder.has_relative_path();
       folder = folder.parent_path())
    if (fs::exists(folder / "jobs" / "sites")) return folder;
  return {};
}

std::string siblings_of(std::size_t cpu) {
  std::ifstream file(fmt::format("/sys/devices/system/cpu/cpu{}/topology/thread_siblings_list", cpu));
  std::string siblings;
  return std::getline(file, siblings) ? siblings : std::to_string(cpu);
}

}  // namespace

void Site::describe(Options& options) {
  options.add("title", &title, "what site this is");
  options.add("scheduler", &scheduler, "who gives out the nodes").one_of({"none", "slurm"});
  options.add("launcher", &launcher, "what starts the ranks").one_of({"mpirun", "srun"});
  options.add("environment", &environment, "variables of every run");
  options.add("partition", &partition, "default of sbatch --partition");
  options.add("account", &account, "default of sbatch --account");
  options.add("qos", &qos, "default of sbatch --qos");
  options.add("constraint", &constraint, "default of sbatch --constraint");
  options.add("binding", &binding, "what each rank is bound to").one_of({"core", "none"});
  options.add("cores_per_node", &cores_per_node, "physical cores of a node; 0: of the machine that is asked");
  options.add("nodes", &nodes, "nodes that a job can have; 0: as many as Slurm says");
  options.add("oversubscribe", &oversubscribe, "more ranks than cores may share them");
  options.add("time_limit", &time_limit, "the longest time that a job may ask for");
  options.add("gflops_per_core", &gflops_per_core, "for estimates: what training reaches").above(0);
}

Site read_site(const std::string& name_or_path) {
  fs::path path = name_or_path;
  if (path.extension() != ".json") {
    path = home() / "jobs" / "sites" / (name_or_path + ".json");
    if (!fs::exists(path)) throw unknown_name("site", name_or_path, site_names());
  }
  Site site;
  site.name = path.stem();
  site.file = fs::absolute(path).lexically_normal();
  try {
    take(site, parse(path));
  } catch (const ConfigError& error) {
    throw ConfigError({.what = path.string() + ": " + error.what()});
  }
  return site;
}

std::vector<std::string> site_names() {
  std::vector<std::string> names;
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator(home() / "jobs" / "sites", ignored))
    if (entry.path().extension() == ".json") names.push_back(entry.path().stem());
  std::ranges::sort(names);
  return names;
}

fs::path home() {
  if (const auto found = find_home()) return *found;
  throw Error({.what = "cannot find Lockstep's folder jobs/sites",
               .got = "nothing of that name above " + this_program().string(),
               .hint = "set LOCKSTEP_HOME to the checkout"});
}

bool has_home() { return find_home().has_value(); }

fs::path sibling_program(const std::string& name) {
  for (const char* prefix : {"", "lockstep-"}) {  // the second: as installed
    const fs::path path = this_program().parent_path() / (std::string(prefix) + name);
    if (fs::exists(path)) return path;
  }
  throw Error({.what = "the program " + name + " is not beside " + this_program().string(), .hint = "make"});
}

std::size_t usable_cores() {
  cpu_set_t set;
  CPU_ZERO(&set);
  std::set<std::string> cores;
  if (sched_getaffinity(0, sizeof set, &set) == 0)
    for (std::size_t cpu = 0; cpu < CPU_SETSIZE; ++cpu)
      if (CPU_ISSET(cpu, &set)) cores.insert(siblings_of(cpu));
  return std::max<std::size_t>(cores.size(), 1);
}

}  // namespace lockstep::sweep
