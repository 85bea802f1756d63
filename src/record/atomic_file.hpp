// SPDX-License-Identifier: BSD-3-Clause
// Replacing a file so that a reader finds the old one or the new one, each complete.
#pragma once

#include <cstddef>
#include <filesystem>
#include <span>
#include <string>

namespace lockstep::record {

/// What a written file survives. The bytes are synced before the file gets its name in both cases, so a power
/// cut leaves a whole file. `survives_kill` does not sync the folder: after a power cut it may be the older
/// one.
enum class Durability { survives_kill, survives_power_loss };

/// A file that is made as "<path>.<random>.partial", and removed unless it is finished. The name is random
/// because two processes may write the same file, e.g. if an older attempt still lives. Throws Error.
class PartialFile {
 public:
  /// Creates it, empty.
  explicit PartialFile(std::filesystem::path path);
  ~PartialFile();
  PartialFile(const PartialFile&) = delete;
  PartialFile& operator=(const PartialFile&) = delete;

  /// Its temporary name.
  [[nodiscard]] const std::filesystem::path& path() const { return partial_; }
  /// Reserves space on the disk, so that a lack of it is an error at once.
  void reserve(std::size_t bytes) const;
  void write_at(std::size_t offset, std::span<const std::byte> bytes) const;
  /// Gives the file its name. An older file of this name is replaced, or kept as `keep_old_as` if that is
  /// given. On a file system with hard links, a reader finds a file under the name at any time.
  void finish(Durability durability, const std::filesystem::path& keep_old_as = {});

 private:
  std::filesystem::path path_, partial_;
  int fd_;
};

/// A file in memory (in /dev/shm, where that has room). What is not written of it takes no memory.
class MemoryFile {
 public:
  MemoryFile();
  ~MemoryFile();
  MemoryFile(const MemoryFile&) = delete;
  MemoryFile& operator=(const MemoryFile&) = delete;

  [[nodiscard]] const std::filesystem::path& path() const { return path_; }
  /// Takes its name away, so that a kill leaves nothing; who has it open may use it on.
  void hide() const;
  [[nodiscard]] std::size_t size() const;
  void read_at(std::size_t offset, std::span<std::byte> bytes) const;

 private:
  std::filesystem::path path_;
  int fd_;
};

/// Writes `bytes` to a file in an existing folder, whole. Throws Error; then an older file stays as it was.
void replace_file(const std::filesystem::path& path, std::span<const std::byte> bytes, Durability durability);

/// Removes the temporary files of processes that were killed while they wrote `path`. A process that is
/// writing it now gets an Error, and replaces nothing.
void remove_partial_files(const std::filesystem::path& path);

/// Differs between the file that has this name now and others that had or will have it. "": no file.
[[nodiscard]] std::string file_identity(const std::filesystem::path& path);

/// Creates the folders that `path` needs; throws Error when that fails.
void create_folders_for(const std::filesystem::path& path);

/// Throws Error unless a file can be written under `path`; leaves nothing behind.
void check_writable(const std::filesystem::path& path);

}  // namespace lockstep::record
