// SPDX-License-Identifier: BSD-3-Clause
// Asks the system: /proc, /sys, uname, the environment.
#include "record/provenance.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <cstdlib>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <map>
#include <memory>
#include <optional>
#include <system_error>
#include <utility>
#include <vector>

#include <Eigen/Core>
#include <fmt/format.h>
#include <sched.h>
#include <sys/resource.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "core/build_info.hpp"
#include "core/error.hpp"
#include "core/json.hpp"
#include "core/processor.hpp"
#include "record/hdf5.hpp"

namespace lockstep::record {
namespace {

namespace fs = std::filesystem;

constexpr const char* unknown = "unknown";

// The first line of a file; "unknown" when there is none.
std::string first_line(const fs::path& path) {
  std::ifstream file(path);
  std::string line;
  return std::getline(file, line) && !line.empty() ? line : unknown;
}

std::string trimmed(const std::string& text) {
  const auto first = text.find_first_not_of(" \t");
  return first == std::string::npos ? "" : text.substr(first, text.find_last_not_of(" \t") - first + 1);
}

// The "key : value" lines of a file in /proc, the first of each key.
std::map<std::string, std::string> key_values(const fs::path& path) {
  std::map<std::string, std::string> values;
  std::ifstream file(path);
  for (std::string line; std::getline(file, line);)
    if (const auto colon = line.find(':'); colon != std::string::npos)
      values.emplace(trimmed(line.substr(0, colon)), trimmed(line.substr(colon + 1)));
  return values;
}

// "32768K" or "13146588 kB" in bytes.
std::optional<std::uint64_t> bytes_in(const std::string& text) {
  const char* end = text.data() + text.size();
  std::uint64_t number = 0;
  const auto [rest, error] = std::from_chars(text.data(), end, number);
  if (error != std::errc()) return std::nullopt;
  const std::string unit = trimmed({rest, end});
  if (unit.starts_with('K') || unit.starts_with('k')) return number << 10;
  if (unit.starts_with('M')) return number << 20;
  return number;
}

// Caches of the first CPU. `cpus` are those that share one.
void add_caches(Json& host) {
  for (int index = 0;; ++index) {
    const fs::path folder = fmt::format("/sys/devices/system/cpu/cpu0/cache/index{}", index);
    if (!fs::exists(folder)) return;
    const std::string type = first_line(folder / "type");
    if (type == "Instruction") continue;
    const std::string name = "l" + first_line(folder / "level") + (type == "Data" ? "d" : "");
    if (const auto bytes = bytes_in(first_line(folder / "size"))) host[name + "_bytes"] = *bytes;
    host[name + "_cpus"] = first_line(folder / "shared_cpu_list");
  }
}

std::string boost() {
  if (const std::string text = first_line("/sys/devices/system/cpu/cpufreq/boost"); text != unknown)
    return text == "0" ? "off" : "on";
  if (const std::string text = first_line("/sys/devices/system/cpu/intel_pstate/no_turbo"); text != unknown)
    return text == "0" ? "on" : "off";
  return unknown;
}

}  // namespace

Json build_provenance() {
  return {{"lockstep_version", build_info::version},
          {"git_sha", build_info::git_sha},
          {"git_dirty", build_info::git_dirty},
          {"compiler", build_info::compiler},
          {"compiler_flags", build_info::flags},
          {"build_config", build_info::config},
          {"blas", build_info::blas},
          {"hdf5_version", hdf5::library_version()},
          {"eigen_version",
           fmt::format("{}.{}.{}", EIGEN_WORLD_VERSION, EIGEN_MAJOR_VERSION, EIGEN_MINOR_VERSION)},
          {"json_version", fmt::format("{}.{}.{}", NLOHMANN_JSON_VERSION_MAJOR, NLOHMANN_JSON_VERSION_MINOR,
                                       NLOHMANN_JSON_VERSION_PATCH)}};
}

Json host_provenance() {
  utsname system{};
  const bool named = ::uname(&system) == 0;
  Json host = {
      {"hostname", named ? system.nodename : unknown},
      {"kernel", named ? fmt::format("{} {} {}", system.sysname, system.release, system.machine) : unknown},
      {"cpu_model", processor()}};
  if (const long cpus = ::sysconf(_SC_NPROCESSORS_ONLN); cpus > 0) host["online_cpus"] = cpus;
  host["smt"] = [] {
    const std::string active = first_line("/sys/devices/system/cpu/smt/active");
    return active == unknown ? unknown : active == "1" ? "on" : "off";
  }();
  add_caches(host);
  if (const auto bytes = bytes_in(key_values("/proc/meminfo")["MemTotal"])) host["memory_bytes"] = *bytes;
  host["governor"] = first_line("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor");
  host["boost"] = boost();
  return host;
}

bool is_recorded_variable(std::string_view name) {
  constexpr std::array<std::string_view, 7> prefixes = {"SLURM_", "OMPI_", "OMP_", "OPENBLAS_",
                                                        "MKL_",   "BLIS_", "PMIX_"};
  // JWT: Slurm's own access token. PRECONDITION: Open MPI's key between the processes of a job.
  constexpr std::array<std::string_view, 10> secrets = {
      "KEY", "TOKEN", "SECRET", "PASSWORD", "JWT", "AUTH", "SECURITY", "CREDENTIAL", "MUNGE", "PRECONDITION"};
  std::string upper(name);
  std::transform(upper.begin(), upper.end(), upper.begin(),
                 [](char c) { return c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c; });
  const auto is_prefix = [&](std::string_view prefix) { return upper.starts_with(prefix); };
  const auto is_inside = [&](std::string_view word) { return upper.find(word) != std::string::npos; };
  return std::any_of(prefixes.begin(), prefixes.end(), is_prefix) &&
         std::none_of(secrets.begin(), secrets.end(), is_inside);
}

Json environment_provenance() {
  std::map<std::string, std::string> sorted;
  for (char** entry = environ; entry != nullptr && *entry != nullptr; ++entry) {
    const std::string_view text(*entry);
    const auto equals = text.find('=');
    if (equals != std::string_view::npos && is_recorded_variable(text.substr(0, equals)))
      sorted.emplace(text.substr(0, equals), text.substr(equals + 1));
  }
  return sorted;
}

Json slurm_provenance() {
  constexpr std::array<std::pair<const char*, const char*>, 6> texts = {{
      {"slurm_job_id", "SLURM_JOB_ID"},
      {"slurm_array_job_id", "SLURM_ARRAY_JOB_ID"},
      {"slurm_array_task_id", "SLURM_ARRAY_TASK_ID"},
      {"slurm_step_id", "SLURM_STEP_ID"},
      {"slurm_job_partition", "SLURM_JOB_PARTITION"},
      {"slurm_nodelist", "SLURM_JOB_NODELIST"},
  }};
  Json slurm = Json::object();
  for (const auto& [key, variable] : texts)
    if (const char* value = std::getenv(variable); value != nullptr) slurm[key] = value;
  if (const char* value = std::getenv("SLURM_RESTART_COUNT"); value != nullptr) {
    const std::string_view text(value);
    std::size_t count = 0;
    if (std::from_chars(text.data(), text.data() + text.size(), count).ec == std::errc())
      slurm["slurm_restart_count"] = count;
  }
  return slurm;
}

std::string binding() {
  const auto free_set = [](cpu_set_t* set) { CPU_FREE(set); };
  // The kernel refuses a set that is smaller than its own; large machines have more than 1024 CPUs.
  for (std::size_t most = 1024; most <= (std::size_t{1} << 20); most *= 2) {
    const std::unique_ptr<cpu_set_t, decltype(free_set)> set(CPU_ALLOC(most), free_set);
    const std::size_t bytes = CPU_ALLOC_SIZE(most);
    CPU_ZERO_S(bytes, set.get());
    if (::sched_getaffinity(0, bytes, set.get()) == 0) {
      std::vector<std::size_t> cpus;
      for (std::size_t cpu = 0; cpu < most; ++cpu)
        if (CPU_ISSET_S(cpu, bytes, set.get())) cpus.push_back(cpu);
      return cpu_list(cpus);
    }
    if (errno != EINVAL) break;
  }
  return unknown;
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

std::string utc_now() {
  const std::time_t now = std::time(nullptr);
  std::tm utc{};
  ::gmtime_r(&now, &utc);
  std::array<char, 32> text{};
  return {text.data(), std::strftime(text.data(), text.size(), "%Y-%m-%dT%H:%M:%SZ", &utc)};
}

MemoryUse memory_use() {
  MemoryUse use;
  rusage usage{};
  if (::getrusage(RUSAGE_SELF, &usage) == 0)
    use.peak_rss_bytes = static_cast<std::uint64_t>(usage.ru_maxrss) << 10;
  // Kernels before 4.14 have only the long form, with the same lines for every mapping.
  std::ifstream file("/proc/self/smaps_rollup");
  if (!file) file.open("/proc/self/smaps");
  for (std::string line; std::getline(file, line);)
    if (line.starts_with("Private_Clean:") || line.starts_with("Private_Dirty:"))
      use.private_bytes += bytes_in(trimmed(line.substr(line.find(':') + 1))).value_or(0);
  return use;
}

}  // namespace lockstep::record
