// SPDX-License-Identifier: BSD-3-Clause
// Slurm's commands and what they print.
#include "sweep/slurm/slurm.hpp"

#include <algorithm>
#include <array>
#include <sstream>

#include <fmt/format.h>

#include "core/error.hpp"
#include "core/names.hpp"
#include "sweep/process.hpp"
#include "sweep/spec/duration.hpp"

namespace lockstep::sweep {
namespace {

constexpr std::array commands = {"sbatch", "squeue", "scontrol", "scancel", "sinfo"};

std::string trimmed(const std::string& text) {
  const auto begin = text.find_first_not_of(" \n\t");
  return begin == std::string::npos ? "" : text.substr(begin, text.find_last_not_of(" \n\t") - begin + 1);
}

// What the command printed; throws with Slurm's own words when it failed.
std::string ask(const std::vector<std::string>& words, const std::string& what) {
  const Captured answer = capture(words);
  if (answer.status != 0) throw ConfigError({.what = what, .got = trimmed(answer.err + answer.out)});
  return answer.out;
}

std::vector<std::string> split(const std::string& line, char separator) {
  std::vector<std::string> parts;
  std::stringstream stream(line);
  for (std::string part; std::getline(stream, part, separator);) parts.push_back(part);
  return parts;
}

std::size_t number(const std::string& text) {
  return text.empty() || text.find_first_not_of("0123456789+") != std::string::npos ? 0 : std::stoul(text);
}

// The value after "key" and blanks and "=", or after "key=", in what scontrol shows.
std::string value_of(const std::string& shown, const std::string& key) {
  for (const std::string& line : split(shown, '\n'))
    for (const std::string& word : split(line, ' '))
      if (word.starts_with(key + "=")) return word.substr(key.size() + 1);
  for (const std::string& line : split(shown, '\n'))
    if (line.starts_with(key)) return trimmed(line.substr(std::min(line.find('=') + 1, line.size())));
  return "";
}

}  // namespace

bool have_slurm() { return std::ranges::all_of(commands, have_program); }

bool slurm_answers() { return have_slurm() && capture({"sinfo", "-h", "-o", "%P"}).status == 0; }

void require_slurm() {
  for (const char* name : commands)
    if (!have_program(name))
      throw ConfigError({"there is no Slurm on this machine", fmt::format("the command {} in PATH", name),
                         "none",
                         "on a cluster: its login node; without one: sweep run, or make NAME LAUNCH=local"});
  (void)ask({"sinfo", "-h", "-o", "%P"}, "Slurm does not answer");
}

ClusterSize cluster_size(const std::string& partition) {
  ClusterSize size;
  bool found = false;
  for (const std::string& line :
       split(ask({"sinfo", "-h", "-e", "-o", "%P|%D|%c|%Z|%l"}, "Slurm does not tell its nodes"), '\n')) {
    const std::vector<std::string> parts = split(line, '|');
    if (parts.size() != 5) continue;
    const bool is_default = parts[0].ends_with('*');
    if (partition.empty() ? !is_default : parts[0] != partition && parts[0] != partition + "*") continue;
    found = true;
    const std::size_t cores = number(parts[2]) / std::max<std::size_t>(number(parts[3]), 1);
    size.nodes += number(parts[1]);
    if (parts[4] != "infinite" && parts[4] != "n/a")
      size.longest_s = parse_duration("a partition's limit", parts[4]);
    size.cores_per_node = size.cores_per_node == 0 ? cores : std::min(size.cores_per_node, cores);
  }
  if (!found && !partition.empty())
    throw ConfigError(
        {.what = "Slurm knows no partition " + partition,
         .expected =
             "one of " + join(split(trimmed(ask({"sinfo", "-h", "-o", "%R"}, "sinfo failed")), '\n'))});
  return size;
}

std::size_t max_array_size() {
  const std::size_t size = number(
      value_of(ask({"scontrol", "show", "config"}, "Slurm does not tell its configuration"), "MaxArraySize"));
  return size > 1 ? size : 1001;
}

std::string sbatch(const std::string& script, const std::vector<std::string>& options) {
  std::vector<std::string> words = {"sbatch", "--parsable"};
  words.insert(words.end(), options.begin(), options.end());
  words.push_back(script);
  const std::string answer = trimmed(ask(words, "Slurm does not take " + script));
  return answer.substr(0, answer.find(';'));  // ";CLUSTER" may follow
}

std::string sbatch_test(const std::string& script) {
  const Captured answer = capture({"sbatch", "--test-only", script});
  const std::string text = trimmed(answer.err + answer.out);
  if (answer.status != 0) throw ConfigError({.what = "Slurm would not take " + script, .got = text});
  return text;
}

std::vector<QueueEntry> queue_of(const std::vector<std::string>& job_ids) {
  std::vector<QueueEntry> entries;
  if (job_ids.empty()) return entries;
  // Ours are picked here: squeue -j fails as a whole when it does not know one of the jobs any more.
  for (const std::string& line : split(
           ask({"squeue", "-h", "-r", "--me", "-o", "%F|%K|%T|%R"}, "Slurm does not tell its queue"), '\n')) {
    const std::vector<std::string> parts = split(line, '|');
    if (parts.size() < 3 || std::ranges::find(job_ids, parts[0]) == job_ids.end()) continue;
    QueueEntry entry{
        .job_id = parts[0], .task = {}, .state = parts[2], .reason = parts.size() > 3 ? parts[3] : ""};
    if (parts[1] != "N/A") entry.task = number(parts[1]);
    entries.push_back(std::move(entry));
  }
  return entries;
}

std::string end_state(const std::string& job_id, std::optional<std::size_t> task) {
  const std::string id = task ? fmt::format("{}_{}", job_id, *task) : job_id;
  const Captured answer = capture({"scontrol", "-o", "show", "job", id});
  return answer.status == 0 ? value_of(answer.out, "JobState") : "";
}

void scancel(const std::vector<std::string>& job_ids) {
  std::vector<std::string> words = {"scancel"};
  words.insert(words.end(), job_ids.begin(), job_ids.end());
  (void)ask(words, "scancel failed");
}

}  // namespace lockstep::sweep
