// SPDX-License-Identifier: BSD-3-Clause
// A sweep's folder: its run files, and beside them, in sweep/, what was asked for, logs and jobs.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include <sys/types.h>

#include "core/json.hpp"
#include "sweep/spec/point.hpp"
#include "sweep/spec/spec.hpp"

namespace lockstep::sweep {

/// What a sweep is, kept with its results: a spec once expanded.
struct Manifest {
  std::string name, title, scale;
  std::string spec_file;  ///< where it was read
  Json spec;              ///< its text
  std::vector<Point> points;
};

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
  [[nodiscard]] std::filesystem::path log(const std::string& run_id) const {
    return state() / "log" / (run_id + ".log");
  }
  [[nodiscard]] std::filesystem::path scripts() const { return state() / "jobs"; }
  [[nodiscard]] std::filesystem::path manifest_file() const { return state() / "sweep.json"; }
  [[nodiscard]] std::filesystem::path jobs_file() const { return state() / "jobs.json"; }
  [[nodiscard]] std::filesystem::path submission_file() const { return state() / "submission.json"; }
  [[nodiscard]] std::filesystem::path lock_file() const { return state() / "lock"; }

 private:
  std::filesystem::path root_;
};

/// The folder that a word of the command line means: itself, or that of the sweep of this name in `results`,
/// or that of the experiment of this name in jobs/experiments (its variant: NAME-VARIANT). Throws ConfigError
/// when there is no sweep.
[[nodiscard]] SweepFolder find_folder(const std::string& word, const std::string& results);

[[nodiscard]] bool has_manifest(const SweepFolder& folder);
[[nodiscard]] Manifest load_manifest(const SweepFolder& folder);
/// Creates the folders and keeps the manifest. If the folder holds one already whose runs are not all among
/// these, it is another sweep: ConfigError, unless `extend`, which keeps the older points before the new
/// ones.
void save_manifest(const SweepFolder& folder, Manifest& manifest, bool extend);

[[nodiscard]] Json read_json(const std::filesystem::path& path);
/// Replaces the file, readable at any moment.
void write_text(const std::filesystem::path& path, const std::string& text);

/// The process of this machine that holds the folder's lock, if one does.
[[nodiscard]] std::optional<pid_t> lock_holder(const SweepFolder& folder);

/// Holds a sweep's folder for one process on this machine; throws ConfigError when another one has it.
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
