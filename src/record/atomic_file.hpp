// SPDX-License-Identifier: BSD-3-Clause
// Replacing a file so that a reader finds the old one or the new one, each complete.
#pragma once

#include <cstddef>
#include <filesystem>
#include <span>
#include <string>

namespace lockstep::record {

/// What a written file outlives: the end of this process, or also the loss of the machine (fsync of file and
/// folder).
enum class Durability { survives_kill, survives_power_loss };

/// A file that is being made under the name "<path>.<random>.partial", which no other process uses: two may
/// write the same file, e.g. an older attempt at a run that is thought dead and is not. Unless it is
/// finished, it is removed. Throws Error.
class PartialFile {
 public:
  /// Creates it, empty.
  explicit PartialFile(std::filesystem::path path);
  ~PartialFile();
  PartialFile(const PartialFile&) = delete;
  PartialFile& operator=(const PartialFile&) = delete;

  /// Where it lies until it is finished.
  [[nodiscard]] const std::filesystem::path& path() const { return partial_; }
  /// Takes so much room on the disk, so that there is either enough or an error at once.
  void reserve(std::size_t bytes) const;
  void write_at(std::size_t offset, std::span<const std::byte> bytes) const;
  /// Gives it its name. A file that has this name already is replaced; if there is such a name, it is kept as
  /// `keep_old_as`. Where the file system has hard links, a reader finds a file under the name at any time.
  void finish(Durability durability, const std::filesystem::path& keep_old_as = {});

 private:
  std::filesystem::path path_, partial_;
  int fd_;
};

/// Writes `bytes` to a PartialFile of `path` and finishes it. The folder must exist. Throws Error; an older
/// file then stays as it was.
void replace_file(const std::filesystem::path& path, std::span<const std::byte> bytes, Durability durability);

/// Removes what processes that were killed while they wrote `path` have left. One that lives and writes it
/// now gets an Error, and its file is not replaced.
void remove_partial_files(const std::filesystem::path& path);

/// Tells the file that has this name from those that had it before or will have it. Empty: there is none.
[[nodiscard]] std::string file_identity(const std::filesystem::path& path);

/// Creates the folders that `path` needs; throws Error when that fails.
void create_folders_for(const std::filesystem::path& path);

/// Throws Error unless a file can be written under `path`; leaves nothing behind.
void check_writable(const std::filesystem::path& path);

}  // namespace lockstep::record
