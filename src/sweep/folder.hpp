// SPDX-License-Identifier: BSD-3-Clause
// A sweep's folder: its run files, and in sweep/ beside them the manifest, logs and jobs.
#pragma once

#include <filesystem>
#include <optional>
#include <string>

#include <sys/types.h>

#include "core/json_fwd.hpp"

namespace lockstep::sweep {

/// The places in results/NAME/.
class SweepFolder {
 public:
  explicit SweepFolder(std::filesystem::path root) : root_(std::move(root)) {}

  [[nodiscard]] const std::filesystem::path& root() const { return root_; }
  [[nodiscard]] std::filesystem::path results() const { return root_.parent_path(); }
  [[nodiscard]] std::filesystem::path run_file(const std::string& run_id) const {
    return root_ / (run_id + ".h5");
  }
  [[nodiscard]] std::filesystem::path state() const { return root_ / "sweep"; }
  [[nodiscard]] std::filesystem::path logs() const { return state() / "log"; }
  [[nodiscard]] std::filesystem::path log(const std::string& run_id) const {
    return logs() / (run_id + ".log");
  }
  [[nodiscard]] std::filesystem::path scripts() const { return state() / "jobs"; }
  /// What the sweep is: see plan.hpp.
  [[nodiscard]] std::filesystem::path manifest_file() const { return state() / "sweep.json"; }
  [[nodiscard]] std::filesystem::path jobs_file() const { return state() / "jobs.json"; }
  [[nodiscard]] std::filesystem::path submission_file() const { return state() / "submission.json"; }
  [[nodiscard]] std::filesystem::path lock_file() const { return state() / "lock"; }

 private:
  std::filesystem::path root_;
};

/// The sweep's folder that a word of the command line names: the folder itself, a sweep in `results`, or an
/// experiment in jobs/experiments (its variant: NAME-VARIANT). Throws ConfigError if there is no such sweep.
[[nodiscard]] SweepFolder find_folder(const std::string& word, const std::string& results);

/// Reads a file that a sweep wrote. Throws Error.
[[nodiscard]] Json read_json(const std::filesystem::path& path);
/// Replaces the file at once, so that readers find the old text or the new one, also after a crash of the
/// machine.
void write_text(const std::filesystem::path& path, const std::string& text);

/// Makes the folders that a sweep needs. Throws ConfigError.
void make_folders(const SweepFolder& folder);

/// Opens a file of a sweep's folder for writing, and makes it if need be; `flags` as those of open(). A
/// symbolic link is refused: what it points to is not ours to write to. Returns the descriptor. Throws
/// ConfigError.
[[nodiscard]] int open_own(const std::filesystem::path& path, int flags);

/// A process that holds a lock.
struct Holder {
  pid_t process = 0;      ///< 0: not known
  std::string host = {};  ///< that it runs on

  [[nodiscard]] bool is_here() const;
};
/// The process that holds the folder's lock; none: it is free, or the file system has no locks.
[[nodiscard]] std::optional<Holder> lock_holder(const SweepFolder& folder);

/// Locks a sweep's folder, which is made if need be, for one process: so nothing is made or submitted twice.
/// Throws ConfigError if another process has the lock, or if there can be none.
class FolderLock {
 public:
  explicit FolderLock(const SweepFolder& folder);
  ~FolderLock();
  FolderLock(const FolderLock&) = delete;
  FolderLock& operator=(const FolderLock&) = delete;

 private:
  int file_;
};

}  // namespace lockstep::sweep
