// SPDX-License-Identifier: BSD-3-Clause
// The run file: a RunRecord as HDF5, always complete under its name. The layout is in docs/run_file.md.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "core/error.hpp"
#include "record/atomic_file.hpp"
#include "record/run_record.hpp"

namespace lockstep::record {

/// Writes the whole record, so that readers find the old file or the new one, each complete. Missing folders
/// are created. Throws Error; then an older file stays as it was.
void write_run_file(const RunRecord& record, const std::filesystem::path& path, Durability durability);

/// Reads a run file of this schema or an older one. Throws Error for anything else.
/// A file whose checksum is wrong, or that cannot be decoded, is an Error of the kind DamagedFile.
[[nodiscard]] RunRecord read_run_file(const std::filesystem::path& path);

class DamagedFile : public Error {
 public:
  using Error::Error;
};

/// The bytes of a run file. `writer`, a text that no other process has, is in them.
[[nodiscard]] std::vector<std::byte> run_file_bytes(const RunRecord& record, std::string_view writer = {});
/// Reads such bytes; `name` is for messages.
[[nodiscard]] RunRecord read_run_file_bytes(std::span<const std::byte> bytes, const std::string& name);

/// True when the next snapshot should be written: always while the file is small and quickly written;
/// otherwise only when the time since the last snapshot is at least 20 times what that one took.
[[nodiscard]] bool snapshot_due(std::uintmax_t file_bytes, double since_last_s, double last_cost_s);

/// Another process has continued this run and has written its file since: this one must end, and write
/// nothing. Not an Error, because some callers carry on after an Error of a file that cannot be written.
class TakenOver : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// Keeps a run's file up to date: a snapshot after every epoch, the final state at the end. Without finish()
/// the last snapshot stays, with the status "running". Throws TakenOver if the file is one that another
/// process wrote, e.g. because Slurm lost contact with this node and started the job elsewhere. The file
/// names its writer; a file that was touched, or changed by another program, is still this writer's, and is
/// replaced.
class RunFileWriter {
 public:
  /// Creates the folders and tests the path, so that one that cannot be written is found before any work.
  explicit RunFileWriter(std::filesystem::path path);

  /// Writes the record if a snapshot is due (the first one always is); returns whether it did.
  bool snapshot(const RunRecord& record);
  /// Writes the record now, synced: before a checkpoint that refers to it.
  void save(const RunRecord& record);
  /// Sets status (complete, interrupted or failed) and end of the run and its last segment; writes, synced.
  void finish(RunRecord& record, std::string_view status);

  [[nodiscard]] const std::filesystem::path& path() const { return path_; }

 private:
  void write(const RunRecord& record, Durability durability);
  void check_still_ours(const RunRecord& record) const;

  std::filesystem::path path_;
  std::string writer_;   // names this writer in its files
  std::string written_;  // the identity of the file that this writer wrote last; empty: none yet
  std::uintmax_t file_bytes_ = 0;
  double last_end_s_ = 0.0;
  double last_cost_s_ = 0.0;
};

}  // namespace lockstep::record
