// SPDX-License-Identifier: BSD-3-Clause
// Asks the system: /proc, /sys, uname, the environment.
#include "record/provenance.hpp"

#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>
#include <cstdlib>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <initializer_list>
#include <map>
#include <optional>
#include <system_error>
#include <utility>

#include <Eigen/Core>
#include <fmt/chrono.h>
#include <fmt/format.h>
#include <sys/resource.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "core/build_info.hpp"
#include "core/host.hpp"
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

// "32768K" or "13146588 kB" in bytes.
std::optional<std::uint64_t> bytes_in(const std::string& text) {
  const char* end = text.data() + text.size();
  std::uint64_t number = 0;
  const auto [rest, error] = std::from_chars(text.data(), end, number);
  if (error != std::errc()) return std::nullopt;
  const std::string_view unit(rest, end);
  if (unit.starts_with('K') || unit.starts_with(" kB")) return number << 10;
  if (unit.starts_with('M')) return number << 20;
  return number;
}

// The sum over the lines "KEY:   13146588 kB" of a file in /proc.
std::uint64_t bytes_of(std::istream& file, std::initializer_list<std::string_view> keys) {
  std::uint64_t sum = 0;
  for (std::string line; std::getline(file, line);) {
    const std::size_t colon = std::min(line.find(':'), line.size());
    if (std::ranges::find(keys, std::string_view(line).substr(0, colon)) == keys.end()) continue;
    const std::size_t digits = std::min(line.find_first_of("0123456789"), line.size());
    sum += bytes_in(line.substr(digits)).value_or(0);
  }
  return sum;
}

// Caches of the first CPU, each with the CPUs that share it.
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

// "on" if the first line is `on`, "off" if it is another, "unknown" if there is no such file.
std::string switch_state(const fs::path& path, std::string_view on) {
  const std::string text = first_line(path);
  return text == unknown ? unknown : text == on ? "on" : "off";
}

std::string upper_case(std::string_view text) {
  std::string upper(text);
  for (char& c : upper) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  return upper;
}

// A name, in upper case, whose value may be secret.
bool has_secret_word(std::string_view upper) {
  // JWT: Slurm's own access token. PRECONDITION: Open MPI's key between the processes of a job.
  constexpr std::array<std::string_view, 12> secrets = {"KEY",  "TOKEN", "SECRET",   "PASS",
                                                        "PWD",  "CRED",  "CERT",     "JWT",
                                                        "AUTH", "MUNGE", "SECURITY", "PRECONDITION"};
  return std::ranges::any_of(secrets, [&](std::string_view word) { return upper.find(word) != upper.npos; });
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
      {"hostname", host_name()},
      {"kernel", named ? fmt::format("{} {} {}", system.sysname, system.release, system.machine) : unknown},
      {"cpu_model", processor()}};
  if (const long cpus = ::sysconf(_SC_NPROCESSORS_ONLN); cpus > 0) host["online_cpus"] = cpus;
  host["smt"] = switch_state("/sys/devices/system/cpu/smt/active", "1");
  add_caches(host);
  std::ifstream memory("/proc/meminfo");
  if (const std::uint64_t bytes = bytes_of(memory, {"MemTotal"}); bytes > 0) host["memory_bytes"] = bytes;
  host["governor"] = first_line("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor");
  host["boost"] = switch_state("/sys/devices/system/cpu/cpufreq/boost", "1");
  if (host["boost"] == unknown)
    host["boost"] = switch_state("/sys/devices/system/cpu/intel_pstate/no_turbo", "0");
  return host;
}

bool is_recorded_variable(std::string_view name) {
  constexpr std::array<std::string_view, 7> prefixes = {"SLURM_", "OMPI_", "OMP_", "OPENBLAS_",
                                                        "MKL_",   "BLIS_", "PMIX_"};
  const std::string upper = upper_case(name);
  const auto is_prefix = [&](std::string_view prefix) { return upper.starts_with(prefix); };
  return std::ranges::any_of(prefixes, is_prefix) && !has_secret_word(upper);
}

std::string without_secrets(const std::string& value) {
  const std::string upper = upper_case(value);
  for (std::size_t at = upper.find_first_of("=:"); at != upper.npos; at = upper.find_first_of("=:", at + 1)) {
    if (std::string_view(upper).substr(at).starts_with("://")) {
      const std::size_t host = std::min(upper.find_first_of("@/ ", at + 3), upper.size());
      if (host < upper.size() && upper[host] == '@') return value.substr(0, at + 3) + "...";
      continue;
    }
    const std::size_t name_end = at == 0 ? upper.npos : upper.find_last_not_of(" \"'", at - 1);
    if (name_end == upper.npos) continue;
    const std::size_t before = upper.find_last_not_of("ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-", name_end);
    const std::size_t begin = before == upper.npos ? 0 : before + 1;
    if (has_secret_word(std::string_view(upper).substr(begin, name_end + 1 - begin)))
      return value.substr(0, at + 1) + "...";
  }
  return value;
}

Json environment_provenance() {
  std::map<std::string, std::string> sorted;
  for (char** entry = environ; entry != nullptr && *entry != nullptr; ++entry) {
    const std::string_view text(*entry);
    const auto equals = text.find('=');
    if (equals != std::string_view::npos && is_recorded_variable(text.substr(0, equals)))
      sorted.emplace(text.substr(0, equals), without_secrets(std::string(text.substr(equals + 1))));
  }
  return sorted;
}

Json slurm_provenance() {
  constexpr std::pair<const char*, const char*> texts[] = {
      {"slurm_job_id", "SLURM_JOB_ID"},
      {"slurm_array_job_id", "SLURM_ARRAY_JOB_ID"},
      {"slurm_array_task_id", "SLURM_ARRAY_TASK_ID"},
      {"slurm_step_id", "SLURM_STEP_ID"},
      {"slurm_job_partition", "SLURM_JOB_PARTITION"},
      {"slurm_nodelist", "SLURM_JOB_NODELIST"},
  };
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

std::string utc_now() { return fmt::format("{:%Y-%m-%dT%H:%M:%SZ}", fmt::gmtime(std::time(nullptr))); }

MemoryUse memory_use() {
  MemoryUse use;
  rusage usage{};
  if (::getrusage(RUSAGE_SELF, &usage) == 0)
    use.peak_rss_bytes = static_cast<std::uint64_t>(usage.ru_maxrss) << 10;
  // Kernels before 4.14 have only the long form, with the same lines for every mapping.
  std::ifstream file("/proc/self/smaps_rollup");
  if (!file) file.open("/proc/self/smaps");
  use.private_bytes = bytes_of(file, {"Private_Clean", "Private_Dirty"});
  return use;
}

}  // namespace lockstep::record
