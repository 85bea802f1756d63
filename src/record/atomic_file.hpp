// SPDX-License-Identifier: BSD-3-Clause
// Replacing a file so that a reader finds the old one or the new one, each complete.
#pragma once

#include <cstddef>
#include <filesystem>
#include <span>

namespace lockstep::record {

/// What a written file outlives: the end of this process, or also the loss of the machine (fsync of file and
/// folder).
enum class Durability { survives_kill, survives_power_loss };

/// A file that is being made under the name "<path>.partial". Unless it is finished, it is removed.
class PartialFile {
 public:
  explicit PartialFile(std::filesystem::path path);
  ~PartialFile();
  PartialFile(const PartialFile&) = delete;
  PartialFile& operator=(const PartialFile&) = delete;

  /// Where it lies until it is finished.
  [[nodiscard]] const std::filesystem::path& path() const { return partial_; }
  /// Gives it its name, after it was written and closed. A file that has this name already is replaced, or,
  /// if there is such a name, becomes `keep_old_as`. Throws Error.
  void finish(Durability durability, const std::filesystem::path& keep_old_as = {});

 private:
  std::filesystem::path path_, partial_;
};

/// Writes `bytes` to "<path>.partial" and renames that to `path`. The folder must exist. Throws Error; an
/// older file then stays as it was.
void replace_file(const std::filesystem::path& path, std::span<const std::byte> bytes, Durability durability);

/// Creates the folders that `path` needs; throws Error when that fails.
void create_folders_for(const std::filesystem::path& path);

/// Throws Error unless a file can be written under `path`; leaves nothing behind.
void check_writable(const std::filesystem::path& path);

}  // namespace lockstep::record
