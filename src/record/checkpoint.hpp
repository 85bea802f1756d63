// SPDX-License-Identifier: BSD-3-Clause
// The checkpoint file (HDF5): a training's state, whole or refused. What it is for is in docs/checkpoints.md.
#pragma once

#include <cstddef>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "core/fields.hpp"
#include "core/sha256.hpp"
#include "record/atomic_file.hpp"
#include "record/hdf5.hpp"

namespace lockstep::record {

/// The run's checkpoint beside its run file, and the one before it.
[[nodiscard]] std::filesystem::path checkpoint_path(const std::filesystem::path& run_file);
[[nodiscard]] std::filesystem::path previous_checkpoint_path(const std::filesystem::path& run_file);

/// Writes a checkpoint, front to back, in few large pieces, straight to the disk: what is held in memory is
/// HDF5's own and no array. Layout:
///   /               attributes: checkpoint_version, creator, sha256 (of all that follows)
///   /about          a JSON text: whose checkpoint it is, and where the training stands
///   /numbers/NAME   [rank]
///   /arrays/NAME    [n], or [rank, n] where every rank has its own
class CheckpointWriter {
 public:
  /// Begins "<path>.partial". Throws Error, as all that follows.
  CheckpointWriter(std::filesystem::path path, const Json& about);

  void numbers(const std::string& name, std::span<const double> of_ranks);
  /// The next array. All of its values are then written with write(), from the first to the last.
  void begin_array(const std::string& name, const std::vector<std::size_t>& shape);
  void write(std::span<const float> values);
  /// Syncs it and gives it its name; the checkpoint before it becomes the previous one.
  void finish(const std::filesystem::path& previous);

 private:
  void end_array();

  PartialFile partial_;
  Sha256 checksum_;
  hdf5::Handle file_, numbers_, arrays_;
  std::optional<hdf5::Handle> array_;   // the one that is being written
  std::size_t begin_ = 0, length_ = 0;  // of it: values written, and in all
};

/// A checkpoint that was read through and found whole.
class CheckpointReader {
 public:
  /// Throws Error, which says what is wrong with the file: absent, torn, changed, or of another version.
  explicit CheckpointReader(const std::filesystem::path& path);

  [[nodiscard]] const Json& about() const { return about_; }
  [[nodiscard]] std::vector<double> numbers(const std::string& name) const;
  [[nodiscard]] std::vector<std::size_t> shape(const std::string& array) const;
  /// The values from `begin` on, counted from the array's first one, rank after rank.
  void read(const std::string& array, std::size_t begin, std::span<float> values) const;
  /// The names of all numbers and arrays.
  [[nodiscard]] std::vector<std::string> names() const;

 private:
  hdf5::Handle file_;
  Json about_;
};

}  // namespace lockstep::record
