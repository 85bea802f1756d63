// SPDX-License-Identifier: BSD-3-Clause
// Finding and locking sweeps' folders, and their files.
#include "sweep/folder.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <fstream>

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <unistd.h>

#include "core/error.hpp"
#include "core/home.hpp"
#include "core/host.hpp"
#include "core/json.hpp"
#include "core/json_text.hpp"
#include "core/names.hpp"
#include "core/text.hpp"
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

constexpr int attempts = 10;
constexpr useconds_t attempt_us = 50'000;

[[noreturn]] void refuse_second(const SweepFolder& folder) {
  const Holder holder = lock_holder(folder).value_or(Holder{});
  const bool is_gone =
      holder.process == 0 || (holder.is_here() && kill(holder.process, 0) != 0 && errno == ESRCH);
  throw ConfigError(
      {folder.root().string() + " is being worked on", "one sweep program at a time on a folder",
       holder.process == 0
           ? "a process that is not known"
           : fmt::format("process {}{}", holder.process, holder.host.empty() ? "" : " on " + holder.host),
       is_gone
           ? "no such process lives here: if no other machine works on this sweep, the file system's locks "
             "do not work; take another one by --results"
           : "sweep status shows how far it is"});
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
  record::replace_file(path, std::as_bytes(std::span(text)), record::Durability::survives_power_loss);
}

void make_folders(const SweepFolder& folder) {
  for (const fs::path& path : {folder.logs(), folder.scripts()}) {
    std::error_code failure;
    fs::create_directories(path, failure);
    if (failure)
      throw ConfigError({"cannot make the folder " + path.string(), "a folder that this user may write",
                         failure.message(), "--results names another one"});
  }
}

int open_own(const fs::path& path, int flags) {
  const int file = open(path.c_str(), flags | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0666);
  if (file >= 0) return file;
  if (errno == ELOOP)
    throw ConfigError({path.string() + " is a symbolic link", "a file in the sweep's own folder",
                       "a link, which is not followed", "remove it"});
  throw ConfigError({.what = "cannot write " + path.string(), .got = std::strerror(errno)});
}

bool Holder::is_here() const { return host.empty() || host == host_name(); }

std::optional<Holder> lock_holder(const SweepFolder& folder) {
  const int file = open(folder.lock_file().c_str(), O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
  if (file < 0) return {};
  std::optional<Holder> holder;
  if (flock(file, LOCK_SH | LOCK_NB) != 0 && errno == EWOULDBLOCK) {
    std::array<char, 300> text{};  // "PROCESS HOST"
    holder.emplace();
    if (read(file, text.data(), text.size() - 1) > 0) {
      const std::vector<std::string> words = split(trimmed(text.data()), ' ');
      if (!words.empty()) holder->process = static_cast<pid_t>(std::atol(words[0].c_str()));
      if (words.size() > 1) holder->host = words[1];
    }
  }
  close(file);
  return holder;
}

FolderLock::FolderLock(const SweepFolder& folder) {
  make_folders(folder);
  file_ = open_own(folder.lock_file(), O_RDWR);
  int failure = 0;
  for (int attempt = 0; attempt < attempts; ++attempt) {  // one that asks who holds it has it for a moment
    failure = flock(file_, LOCK_EX | LOCK_NB) == 0 ? 0 : errno;
    if (failure != EWOULDBLOCK) break;
    usleep(attempt_us);
  }
  const std::string text = fmt::format("{} {}\n", getpid(), host_name());
  if (failure == 0 && (ftruncate(file_, 0) != 0 || write(file_, text.data(), text.size()) < 0))
    failure = errno;
  if (failure == 0) return;
  close(file_);
  if (failure == EWOULDBLOCK) refuse_second(folder);
  throw ConfigError(
      {"cannot lock " + folder.lock_file().string(),
       "a file system with locks, so that two programs do not make the same runs", std::strerror(failure),
       "--results on another file system, e.g. a local disk; an NFS mount has locks without the "
       "option nolock, or with local_lock=flock"});
}

FolderLock::~FolderLock() { close(file_); }

}  // namespace lockstep::sweep
