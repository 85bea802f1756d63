// SPDX-License-Identifier: BSD-3-Clause
// The file of choices: {"format", "host", "build", "choices": {"TN 784x256x64": "tiled", ...}}.
#include "math/gemm_cache.hpp"

#include <algorithm>
#include <array>
#include <cstdint>
#include <string_view>

#include <fmt/format.h>

#include "core/build_info.hpp"
#include "core/cache.hpp"
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
  const std::filesystem::path in = cache_folder();
  if (in.empty()) return {};
  return in / fmt::format("gemm-{}-{:016x}.json", host_name(), hash(gemm_cache_build()));
}

std::vector<GemmChoice> read_gemm_cache() {
  const Json content = read_cache(gemm_cache_path());
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
  Json kept = Json::object();
  for (const GemmChoice& choice : choices) kept[to_text(choice.shape)] = choice.backend;
  write_cache(
      gemm_cache_path(),
      {{"format", format_version}, {"host", host_name()}, {"build", gemm_cache_build()}, {"choices", kept}});
}

}  // namespace lockstep::math
