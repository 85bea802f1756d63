// SPDX-License-Identifier: BSD-3-Clause
// The checkpoint file (HDF5): a training's state, whole or refused. What it is for is in docs/checkpoints.md.
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

/// The run's checkpoint beside its run file, and the one before it.
[[nodiscard]] std::filesystem::path checkpoint_path(const std::filesystem::path& run_file);
[[nodiscard]] std::filesystem::path previous_checkpoint_path(const std::filesystem::path& run_file);
/// Removes both; one that stays is in nobody's way.
void remove_checkpoints(const std::filesystem::path& run_file);

/// What a checkpoint is to hold.
struct CheckpointContents {
  struct Numbers {
    std::string name;
    std::vector<double> of_ranks;
  };
  struct Array {
    std::string name;
    std::vector<std::size_t> shape;  ///< [n], or [rank, n] where every rank has its own
  };
  Json about = Json::object();  ///< whose checkpoint it is, and where the training stands
  std::vector<Numbers> numbers = {};
  std::vector<Array> arrays = {};
};

/// Writes a checkpoint: HDF5 lays the file out, which is a few kilobytes, and the values are written behind
/// its back to the places that it tells, in few large pieces, arrays front to back. HDF5 cannot be let into a
/// full disk (files that it cannot close end in a crash), so all the room is taken before. Layout:
///   /about          a JSON text
///   /numbers/NAME   [rank]
///   /arrays/NAME    [n] or [rank, n]
///   attributes of /: checkpoint_version, creator
/// Behind HDF5's end of the file stand 64 characters more: the SHA-256 of all bytes before them. It is
/// compared before HDF5 sees the file, since HDF5 may hang or crash on one that is damaged.
class CheckpointWriter {
 public:
  /// Begins a PartialFile and takes all the room that it will need. Throws Error, as all that follows.
  CheckpointWriter(const std::filesystem::path& path, const CheckpointContents& contents);

  /// The next values of the arrays, one array after another, each from its first value to its last; no call
  /// goes beyond an array's end.
  void write(std::span<const float> values);
  /// Syncs it and gives it its name; the checkpoint before it becomes the previous one.
  void finish(const std::filesystem::path& previous);

 private:
  struct Place {
    std::size_t offset, bytes;  // in the file
  };
  void add_layout_up_to(std::size_t offset);

  PartialFile partial_;
  Sha256 checksum_;
  std::vector<Place> arrays_;
  std::size_t checked_ = 0;              // bytes of the file that the checksum has seen
  std::size_t end_ = 0;                  // HDF5's
  std::size_t array_ = 0, written_ = 0;  // the one that is being written, and its bytes so far
};

/// A checkpoint that was read through and found whole. It stays what it is when another process replaces or
/// removes the file.
class CheckpointReader {
 public:
  /// Throws Error, which says what is wrong with the file: absent, torn, changed, or of another version.
  explicit CheckpointReader(const std::filesystem::path& path);

  [[nodiscard]] const std::filesystem::path& path() const { return path_; }
  [[nodiscard]] const Json& about() const { return about_; }
  [[nodiscard]] std::vector<double> numbers(const std::string& name) const;
  [[nodiscard]] std::vector<std::size_t> shape(const std::string& array) const;
  /// The values from `begin` on, counted from the array's first one, rank after rank.
  void read(const std::string& array, std::size_t begin, std::span<float> values) const;
  [[nodiscard]] std::vector<std::string> number_names() const;
  [[nodiscard]] std::vector<std::string> array_names() const;

 private:
  std::filesystem::path path_;
  hdf5::Handle file_;
  Json about_;
};

}  // namespace lockstep::record
