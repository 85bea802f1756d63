// SPDX-License-Identifier: BSD-3-Clause
// What is whole in a run file, and what can be saved of a damaged one.
#pragma once

#include <cstddef>
#include <filesystem>
#include <string>

namespace lockstep::record {

struct FileCheck {
  enum class State { good, no_checksum, damaged } state = State::good;
  std::string why = {};  ///< one line, for `damaged`
};

/// Checks a run file, or a checkpoint (a name with ".ckpt"). HDF5 reads it in another process. Never throws
/// for what is wrong with the file.
[[nodiscard]] FileCheck check_file(const std::filesystem::path& path);

struct Repair {
  std::filesystem::path to;  ///< the new file
  std::size_t epochs = 0;    ///< saved, of so many:
  std::size_t epochs_before = 0;
  std::string left_out = {};  ///< what else could not be read, or ""
};

/// Writes the epochs that can be read in all series, from the first on, to FILE.repaired.h5 beside a damaged
/// run file. Its status is "failed", and `repaired` in its provenance says where it comes from. The damaged
/// file stays as it is. Throws Error if nothing can be saved, or if the new file exists.
Repair repair_run_file(const std::filesystem::path& path);

}  // namespace lockstep::record
