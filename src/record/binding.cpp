// SPDX-License-Identifier: BSD-3-Clause
// Lists of CPUs, their cores, and which ranks share them.
#include "record/binding.hpp"

#include <cerrno>
#include <charconv>
#include <fstream>
#include <map>
#include <set>
#include <system_error>
#include <utility>

#include <fmt/format.h>
#include <sched.h>

namespace lockstep::record {

std::string binding() {
  // The kernel refuses a set that is smaller than its own; large machines have more CPUs than one cpu_set_t.
  for (std::size_t sets = 1; sets <= 1024; sets *= 2) {
    std::vector<cpu_set_t> set(sets);
    const std::size_t bytes = sets * sizeof(cpu_set_t);
    if (::sched_getaffinity(0, bytes, set.data()) == 0) {
      std::vector<std::size_t> cpus;
      for (std::size_t cpu = 0; cpu < 8 * bytes; ++cpu)
        if (CPU_ISSET_S(cpu, bytes, set.data())) cpus.push_back(cpu);
      return cpu_list(cpus);
    }
    if (errno != EINVAL) break;
  }
  return "unknown";
}

std::string cpu_list(std::span<const std::size_t> cpus) {
  std::string text;
  for (std::size_t first = 0; first < cpus.size();) {
    std::size_t last = first;
    while (last + 1 < cpus.size() && cpus[last + 1] == cpus[last] + 1) ++last;
    if (!text.empty()) text += ",";
    text += first == last ? fmt::format("{}", cpus[first]) : fmt::format("{}-{}", cpus[first], cpus[last]);
    first = last + 1;
  }
  return text;
}

std::vector<std::size_t> parse_cpu_list(std::string_view text) {
  std::vector<std::size_t> cpus;
  const char* at = text.data();
  const char* const end = at + text.size();
  while (at != end) {
    std::size_t first = 0;
    auto [next, failure] = std::from_chars(at, end, first);
    if (failure != std::errc()) return {};
    std::size_t last = first;
    if (next != end && *next == '-') {
      const auto range_end = std::from_chars(next + 1, end, last);
      if (range_end.ec != std::errc() || last < first) return {};
      next = range_end.ptr;
    }
    for (std::size_t cpu = first; cpu <= last; ++cpu) cpus.push_back(cpu);
    if (next != end && (*next != ',' || ++next == end)) return {};
    at = next;
  }
  return cpus;
}

std::size_t cores_of(std::string_view cpus) {
  std::set<std::string> cores;  // each as the list of its hardware threads
  for (const std::size_t cpu : parse_cpu_list(cpus)) {
    std::ifstream file(fmt::format("/sys/devices/system/cpu/cpu{}/topology/thread_siblings_list", cpu));
    std::string threads;
    if (!std::getline(file, threads)) threads = std::to_string(cpu);
    cores.insert(threads);
  }
  return cores.size();
}

std::string not_bound_to_cores(const std::vector<RankBinding>& ranks, std::size_t cores_each) {
  std::map<std::pair<std::string, std::size_t>, std::size_t> user_of;  // host and CPU -> rank
  for (std::size_t rank = 0; rank < ranks.size(); ++rank) {
    const RankBinding& mine = ranks[rank];
    const auto cpus = parse_cpu_list(mine.cpus);
    if (cpus.empty())
      return fmt::format("the CPUs of rank {} on {} are not known: {}", rank, mine.host, mine.cpus);
    if (mine.cores > cores_each)
      return fmt::format("rank {} may use {} cores ({}) of {}", rank, mine.cores, mine.cpus, mine.host);
    for (const std::size_t cpu : cpus) {
      const auto [other, is_new] = user_of.try_emplace({mine.host, cpu}, rank);
      if (!is_new)
        return fmt::format("ranks {} and {} share CPU {} of {}", other->second, rank, cpu, mine.host);
    }
  }
  return "";
}

}  // namespace lockstep::record
