// SPDX-License-Identifier: BSD-3-Clause
// Slurm's commands and what they print.
#include "sweep/slurm/slurm.hpp"

#include <algorithm>
#include <array>
#include <filesystem>
#include <functional>
#include <limits>
#include <map>
#include <regex>

#include <fmt/format.h>

#include "core/error.hpp"
#include "core/names.hpp"
#include "core/text.hpp"
#include "sweep/slurm_command.hpp"
#include "sweep/spec/duration.hpp"

namespace lockstep::sweep {
namespace {

// What is over. All other states, also those of later versions of Slurm, are of jobs that wait or run.
constexpr std::array<std::string_view, 10> ended = {"BOOT_FAIL", "CANCELLED", "COMPLETED",     "DEADLINE",
                                                    "FAILED",    "NODE_FAIL", "OUT_OF_MEMORY", "PREEMPTED",
                                                    "REVOKED",   "TIMEOUT"};

constexpr std::array commands = {"sbatch", "squeue", "scontrol", "scancel", "sinfo"};

// What the command printed. If it failed, throws ConfigError with Slurm's own message.
std::string ask(const std::vector<std::string>& words, const std::string& what,
                const std::filesystem::path& folder = {}) {
  const Captured answer = slurm_command(words, folder);
  if (answer.status != 0) throw ConfigError({.what = what, .got = trimmed(answer.err + answer.out)});
  return answer.out;
}

std::size_t number(const std::string& text) {
  return text.empty() || text.find_first_not_of("0123456789+") != std::string::npos ? 0 : std::stoul(text);
}

// The value of "Key=value" or "Key   = value" in what scontrol shows.
std::string value_of(const std::string& shown, const std::string& key) {
  std::smatch match;
  const std::regex pattern("(?:^|\\s)" + key + " *= *(\\S*)");
  return std::regex_search(shown, match, pattern) ? match.str(1) : "";
}

// What Slurm says of a partition; it lists one once for each kind of its nodes.
struct Partition {
  std::size_t nodes = 0, cores_per_node = 0;
  double longest_s = 0.0;
};

std::map<std::string, Partition> partitions_that(
    const std::function<bool(const std::string& shown)>& are_meant) {
  std::map<std::string, Partition> found;
  for (const std::string& line : split(
           ask({"sinfo", "-a", "-h", "-e", "-o", "%P|%D|%c|%Z|%l"}, "Slurm does not list its nodes"), '\n')) {
    const std::vector<std::string> parts = split(line, '|');
    if (parts.size() != 5 || !are_meant(parts[0])) continue;
    Partition& partition = found[parts[0].substr(0, parts[0].find('*'))];
    const std::size_t cores = number(parts[2]) / std::max<std::size_t>(number(parts[3]), 1);
    partition.cores_per_node =
        partition.cores_per_node == 0 ? cores : std::min(partition.cores_per_node, cores);
    partition.nodes += number(parts[1]);
    const bool is_limited = parts[4] != "infinite" && parts[4] != "n/a";
    partition.longest_s = is_limited ? parse_duration("a partition's limit", parts[4])
                                     : std::numeric_limits<double>::infinity();
  }
  return found;
}

}  // namespace

bool have_slurm() { return std::ranges::all_of(commands, have_program); }

bool slurm_answers() { return have_slurm() && slurm_command({"sinfo", "-h", "-o", "%P"}).status == 0; }

void require_slurm() {
  for (const char* name : commands)
    if (!have_program(name))
      throw ConfigError({"there is no Slurm on this machine", fmt::format("the command {} in PATH", name),
                         "none",
                         "on a cluster: its login node; without one: sweep run, or make NAME LAUNCH=local"});
  (void)ask({"sinfo", "-h", "-o", "%P"}, "Slurm does not answer");
}

void complete_from_slurm(Site& site) {
  const std::vector<std::string> names =
      split(site.partition, ',');  // a job starts in the first that has room
  const std::map<std::string, Partition> partitions = partitions_that([&](const std::string& shown) {
    if (names.empty()) return shown.ends_with('*');  // the default one
    return std::ranges::find(names, shown.substr(0, shown.find('*'))) != names.end();
  });
  for (const std::string& name : names)
    if (!partitions.contains(name))
      throw ConfigError(
          {.what = "Slurm knows no partition " + name,
           .expected = "one of " +
                       join(split(trimmed(ask({"sinfo", "-a", "-h", "-o", "%R"}, "sinfo failed")), '\n'))});
  std::size_t nodes = 0, cores_per_node = 0;
  double longest_s = 0.0;
  for (const auto& [name, partition] : partitions) {
    nodes = std::max(nodes, partition.nodes);
    longest_s = std::max(longest_s, partition.longest_s);
    cores_per_node =
        cores_per_node == 0 ? partition.cores_per_node : std::min(cores_per_node, partition.cores_per_node);
  }
  if (!partitions.empty() && longest_s < parse_duration("time_limit", site.time_limit))
    site.time_limit = duration_text(longest_s);
  if (site.nodes == 0) site.nodes = nodes;
  if (site.cores_per_node == 0) site.cores_per_node = cores_per_node;
  const std::string config = ask({"scontrol", "show", "config"}, "Slurm does not show its configuration");
  const std::size_t size = number(value_of(config, "MaxArraySize"));
  if (size > 1) site.largest_array = size;
}

std::string sbatch(const std::string& script, const std::filesystem::path& folder,
                   const std::vector<std::string>& options) {
  std::vector<std::string> words = {"sbatch", "--parsable"};
  words.insert(words.end(), options.begin(), options.end());
  words.push_back(script);
  const std::string answer = trimmed(ask(words, "Slurm does not accept " + script, folder));
  return answer.substr(0, answer.find(';'));  // ";CLUSTER" may follow
}

std::string sbatch_test(const std::string& script) {
  const Captured answer = slurm_command({"sbatch", "--test-only", script});
  const std::string text = trimmed(answer.err + answer.out);
  if (answer.status != 0) throw ConfigError({.what = "Slurm would not accept " + script, .got = text});
  return text;
}

std::vector<QueueEntry> queue_of(const std::vector<Job>& jobs) {
  std::vector<QueueEntry> entries;
  if (jobs.empty()) return entries;
  // Not squeue -j: it fails as a whole if it has forgotten one of the jobs.
  for (const std::string& line :
       split(ask({"squeue", "-a", "-h", "-r", "--me", "-t", "all", "-o", "%F|%K|%T|%R"},
                 "Slurm does not list its queue"),
             '\n')) {
    const std::vector<std::string> parts = split(line, '|');
    if (parts.size() < 3 || std::ranges::find(jobs, parts[0], &Job::id) == jobs.end()) continue;
    QueueEntry& entry = entries.emplace_back();
    entry = {.job_id = parts[0], .state = parts[2], .reason = parts.size() > 3 ? parts[3] : ""};
    if (parts[1] != "N/A") entry.task = number(parts[1]);
  }
  return entries;
}

std::string QueueEntry::name() const { return task ? fmt::format("{}_{}", job_id, *task) : job_id; }

bool QueueEntry::is_active() const {
  return !state.empty() && std::ranges::find(ended, state) == ended.end();
}

void scancel(const std::vector<std::string>& job_ids) {
  std::vector<std::string> words = {"scancel"};
  words.insert(words.end(), job_ids.begin(), job_ids.end());
  (void)ask(words, "scancel failed");
}

}  // namespace lockstep::sweep
