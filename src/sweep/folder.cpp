// SPDX-License-Identifier: BSD-3-Clause
// Finding and locking sweeps' folders, and their files.
#include "sweep/folder.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <fstream>

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <unistd.h>

#include "core/error.hpp"
#include "core/json.hpp"
#include "core/json_text.hpp"
#include "core/names.hpp"
#include "record/atomic_file.hpp"
#include "sweep/site.hpp"

namespace lockstep::sweep {
namespace {

namespace fs = std::filesystem;

bool has_manifest(const SweepFolder& folder) { return fs::exists(folder.manifest_file()); }

// The folder's name for jobs/experiments/STEM.json, or for its variant if `word` is STEM-VARIANT; "" if there
// is no such file. A file and its results may have different names.
std::string results_of_experiment(const std::string& word) {
  if (fs::path(word).filename() != word || find_home().empty()) return "";
  for (std::size_t end = word.size(); end != std::string::npos && end > 0; end = word.rfind('-', end - 1)) {
    const std::string stem = word.substr(0, end);
    const fs::path file = home() / "jobs" / "experiments" / (stem + ".json");
    if (!fs::exists(file)) continue;
    const Json spec = read_json_file(file);
    if (!spec.is_object()) return "";
    const Json name = spec.value("name", Json(stem));
    return name.is_string() ? name.get<std::string>() + word.substr(end) : "";
  }
  return "";
}

}  // namespace

SweepFolder find_folder(const std::string& word, const std::string& results) {
  const SweepFolder itself(fs::path(word).lexically_normal());
  if (has_manifest(itself)) return itself;
  const SweepFolder named(fs::path(results) / word);
  if (has_manifest(named)) return named;
  const std::string name = results_of_experiment(word);
  const SweepFolder of_experiment(fs::path(results) / name);
  if (!name.empty() && has_manifest(of_experiment)) return of_experiment;
  std::vector<std::string> known;
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator(results, ignored))
    if (has_manifest(SweepFolder(entry.path()))) known.push_back(entry.path().filename());
  std::ranges::sort(known);
  throw ConfigError(
      {"there is no sweep " + word,
       "a folder that sweep run or submit has made, its name in " + results + ", or an experiment's",
       known.empty() ? "no sweep in " + results : "sweeps in " + results + ": " + join(known)});
}

Json read_json(const fs::path& path) { return read_json_file(path); }

void write_text(const fs::path& path, const std::string& text) {
  record::replace_file(path, std::as_bytes(std::span(text)), record::Durability::survives_kill);
}

std::optional<pid_t> lock_holder(const SweepFolder& folder) {
  const int file = open(folder.lock_file().c_str(), O_RDONLY | O_CLOEXEC);
  if (file < 0) return {};
  std::optional<pid_t> holder;
  if (flock(file, LOCK_SH | LOCK_NB) != 0 && errno == EWOULDBLOCK) {
    std::array<char, 32> text{};
    holder = read(file, text.data(), text.size() - 1) > 0 ? static_cast<pid_t>(std::atol(text.data())) : 0;
  }
  close(file);
  return holder;
}

FolderLock::FolderLock(const SweepFolder& folder)
    : file_(open(folder.lock_file().c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0666)) {
  if (file_ < 0)
    throw Error({.what = "cannot open " + folder.lock_file().string(), .got = std::strerror(errno)});
  if (flock(file_, LOCK_EX | LOCK_NB) != 0) {
    const int failure = errno;
    close(file_);
    if (failure != EWOULDBLOCK)
      throw Error({.what = "cannot lock " + folder.lock_file().string(), .got = std::strerror(failure)});
    throw ConfigError(
        {folder.root().string() + " is being worked on", "one sweep program at a time on a folder",
         fmt::format("process {}", lock_holder(folder).value_or(0)), "sweep status shows how far it is"});
  }
  const std::string pid = fmt::format("{}\n", getpid());
  if (ftruncate(file_, 0) != 0 || write(file_, pid.data(), pid.size()) < 0)
    throw Error({.what = "cannot write " + folder.lock_file().string(), .got = std::strerror(errno)});
}

FolderLock::~FolderLock() { close(file_); }

}  // namespace lockstep::sweep
