// SPDX-License-Identifier: BSD-3-Clause
// Finding the folder, and replacing files.
#include "core/cache.hpp"

#include <cstdlib>
#include <fstream>
#include <system_error>

#include <fmt/format.h>
#include <unistd.h>

#include "core/error.hpp"
#include "core/json.hpp"
#include "core/json_text.hpp"

namespace lockstep {

std::filesystem::path cache_folder() {
  const auto variable = [](const char* name) {
    const char* value = std::getenv(name);
    return std::filesystem::path(value == nullptr ? "" : value);
  };
  if (auto own = variable("LOCKSTEP_CACHE_DIR"); !own.empty()) return own;
  if (const auto caches = variable("XDG_CACHE_HOME"); !caches.empty()) return caches / "lockstep";
  if (const auto home = variable("HOME"); !home.empty()) return home / ".cache" / "lockstep";
  return {};
}

Json read_cache(const std::filesystem::path& path) {
  try {
    return read_json_file(path);
  } catch (const ConfigError&) {
    return nullptr;
  }
}

void write_cache(const std::filesystem::path& path, const Json& content) {
  if (path.empty()) return;
  std::error_code failure;
  std::filesystem::create_directories(path.parent_path(), failure);
  // A name of this process's own: jobs on this host may write at the same time, and the last one stays.
  const std::filesystem::path partial = fmt::format("{}.{}.partial", path.string(), getpid());
  {
    std::ofstream file(partial);
    file << content.dump(1, ' ', false, Json::error_handler_t::replace) << '\n';
    file.close();
    if (!file) {
      std::filesystem::remove(partial, failure);
      return;
    }
  }
  std::filesystem::rename(partial, path, failure);
  if (failure) std::filesystem::remove(partial, failure);
}

}  // namespace lockstep
