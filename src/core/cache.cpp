// SPDX-License-Identifier: BSD-3-Clause
// Finding the folder, and replacing files.
#include "core/cache.hpp"

#include <cstdlib>
#include <string>
#include <system_error>

#include <fcntl.h>
#include <sys/stat.h>
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
  // A new file, so no link is followed in a folder that others write to. Of jobs that write at the same time
  // the last one stays.
  std::string partial = path.string() + ".partial-XXXXXX";
  const int fd = ::mkostemp(partial.data(), O_CLOEXEC);
  if (fd < 0) return;
  const std::string text = content.dump(1, ' ', false, Json::error_handler_t::replace) + '\n';
  const bool written =
      ::fchmod(fd, 0644) == 0 && ::write(fd, text.data(), text.size()) == static_cast<ssize_t>(text.size());
  if (::close(fd) == 0 && written) std::filesystem::rename(partial, path, failure);
  std::filesystem::remove(partial, failure);  // where it still has this name
}

}  // namespace lockstep
