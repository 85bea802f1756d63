// SPDX-License-Identifier: BSD-3-Clause
// The file of choices: {"format", "host", "build", "choices": {"TN 784x256x64": "tiled", ...}}.
#include "math/gemm_cache.hpp"

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdlib>
#include <fstream>
#include <string_view>

#include <fmt/format.h>
#include <unistd.h>

#include "core/build_info.hpp"
#include "core/host.hpp"
#include "core/json.hpp"
#include "core/processor.hpp"
#include "math/gemm_choice.hpp"

namespace lockstep::math {
namespace {

constexpr int format_version = 1;

// FNV-1a.
std::uint64_t hash(std::string_view text) {
  std::uint64_t value = 0xcbf29ce484222325;
  for (const char c : text) value = (value ^ static_cast<unsigned char>(c)) * 0x100000001b3;
  return value;
}

std::filesystem::path folder() {
  const auto variable = [](const char* name) {
    const char* value = std::getenv(name);
    return std::filesystem::path(value == nullptr ? "" : value);
  };
  if (auto own = variable("LOCKSTEP_CACHE_DIR"); !own.empty()) return own;
  if (const auto caches = variable("XDG_CACHE_HOME"); !caches.empty()) return caches / "lockstep";
  if (const auto home = variable("HOME"); !home.empty()) return home / ".cache" / "lockstep";
  return {};
}

// Of those that can be chosen.
bool is_backend(const std::string& name) {
  return std::ranges::any_of(
      gemm_table(), [&](const GemmRow& row) { return row.name == name && row.make != make_auto_gemm; });
}

}  // namespace

std::string gemm_cache_build() {
  return fmt::format("{} {}{} | {} | {} | {} | {}", build_info::version, build_info::git_sha,
                     build_info::git_dirty ? "+" : "", build_info::compiler, build_info::flags,
                     blas_description(), processor());
}

std::filesystem::path gemm_cache_path() {
  const std::filesystem::path in = folder();
  if (in.empty()) return {};
  return in / fmt::format("gemm-{}-{:016x}.json", host_name(), hash(gemm_cache_build()));
}

std::vector<GemmChoice> read_gemm_cache() {
  std::ifstream file(gemm_cache_path());
  if (!file) return {};
  const Json content = Json::parse(file, nullptr, /*allow_exceptions=*/false);
  if (!content.is_object() || content.value("format", Json()) != format_version ||
      content.value("host", Json()) != host_name() || content.value("build", Json()) != gemm_cache_build())
    return {};
  const Json kept = content.value("choices", Json());
  if (!kept.is_object()) return {};
  std::vector<GemmChoice> choices;
  for (const auto& [key, backend] : kept.items()) {
    const auto shape = parse_shape(key);
    if (!shape || !backend.is_string() || !is_backend(backend.get<std::string>())) return {};
    choices.push_back({*shape, backend.get<std::string>()});
  }
  return choices;
}

void write_gemm_cache(const std::vector<GemmChoice>& choices) {
  const std::filesystem::path path = gemm_cache_path();
  if (path.empty()) return;
  Json kept = Json::object();
  for (const GemmChoice& choice : choices) kept[to_text(choice.shape)] = choice.backend;
  const Json content = {
      {"format", format_version}, {"host", host_name()}, {"build", gemm_cache_build()}, {"choices", kept}};
  std::error_code failure;
  std::filesystem::create_directories(path.parent_path(), failure);
  // A name of this process's own: jobs on this host may write at the same time, and the last one stays.
  const std::filesystem::path partial = fmt::format("{}.{}.partial", path.string(), getpid());
  {
    std::ofstream file(partial);
    file << content.dump(1) << '\n';
    file.close();
    if (!file) {
      std::filesystem::remove(partial, failure);
      return;
    }
  }
  std::filesystem::rename(partial, path, failure);
  if (failure) std::filesystem::remove(partial, failure);
}

}  // namespace lockstep::math
