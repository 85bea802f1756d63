// SPDX-License-Identifier: BSD-3-Clause
// The checkpoint file (HDF5): a training's state, whole or refused. See docs/checkpoints.md.
#pragma once

#include <cstddef>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include "core/json.hpp"
#include "core/sha256.hpp"
#include "record/atomic_file.hpp"
#include "record/hdf5.hpp"

namespace lockstep::record {

/// The checkpoint beside a run file, and the one before it.
[[nodiscard]] std::filesystem::path checkpoint_path(const std::filesystem::path& run_file);
[[nodiscard]] std::filesystem::path previous_checkpoint_path(const std::filesystem::path& run_file);
/// True if there is one of them, usable or not.
[[nodiscard]] bool has_checkpoint(const std::filesystem::path& run_file);
/// Removes both; a failure is ignored, because an old checkpoint does no harm.
void remove_checkpoints(const std::filesystem::path& run_file);

/// What a checkpoint holds.
struct CheckpointContents {
  struct Numbers {
    std::string name;
    std::vector<double> of_ranks;
  };
  struct Array {
    std::string name;
    std::vector<std::size_t> shape;  ///< [n], or [rank, n] if every rank has its own
  };
  Json about = Json::object();  ///< which run it is of, and how far the training came
  std::vector<Numbers> numbers = {};
  std::vector<Array> arrays = {};
  std::vector<std::byte> run_file = {};  ///< the run file as it was then; empty in files of older versions
};

/// Writes a checkpoint. HDF5 lays the file out in memory, without the values of the arrays. These few
/// kilobytes and the values are then written without HDF5, front to back, in few large pieces: where a disk
/// is full or fails, HDF5 cannot close its files, and crashes at the end of the process. Layout:
///   /about          a JSON text
///   /run_file       [n] bytes: a copy of the run file, for when that is lost
///   /numbers/NAME   [rank]
///   /arrays/NAME    [n] or [rank, n]
///   attributes of /: checkpoint_version, creator
/// Behind HDF5's end of the file are 64 more characters: the SHA-256 of all bytes before them. It is compared
/// before HDF5 opens the file, because HDF5 may hang or crash on a damaged file.
class CheckpointWriter {
 public:
  /// Begins a PartialFile and reserves all space that it will need. Throws Error, as all functions here.
  CheckpointWriter(const std::filesystem::path& path, const CheckpointContents& contents);

  /// Writes the next values of one array; the arrays come one after another, from first to last value.
  void write(std::span<const float> values);
  /// Syncs the file and gives it its name; the checkpoint before it becomes the previous one.
  void finish(const std::filesystem::path& previous);

 private:
  struct Place {
    std::size_t offset, bytes;  // in the file
  };
  void add_layout_up_to(std::size_t offset);

  PartialFile partial_;
  MemoryFile layout_;
  Sha256 checksum_;
  std::vector<Place> arrays_;
  std::size_t checked_ = 0;              // bytes of the file that the checksum has seen
  std::size_t end_ = 0;                  // of HDF5's part of the file
  std::size_t array_ = 0, written_ = 0;  // the array that is being written, and its bytes so far
};

/// A checkpoint whose checksum was right. It stays readable when the file is replaced or removed.
class CheckpointReader {
 public:
  /// Throws Error if the file is absent, cut short, changed, or of another version.
  explicit CheckpointReader(const std::filesystem::path& path);

  [[nodiscard]] const std::filesystem::path& path() const { return path_; }
  /// All but the values of the arrays.
  [[nodiscard]] const CheckpointContents& contents() const { return contents_; }
  /// Reads values from number `begin` on; the ranks' values are counted one rank after another.
  void read(const std::string& array, std::size_t begin, std::span<float> values) const;

 private:
  std::filesystem::path path_;
  hdf5::Handle file_;
  CheckpointContents contents_;
};

}  // namespace lockstep::record
