// SPDX-License-Identifier: BSD-3-Clause
// RAII over the HDF5 C API: checked calls, handles, files, groups.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include <hdf5.h>

namespace lockstep::record::hdf5 {

/// Throws Error with HDF5's own error stack when `code` is negative; `what` says what was being done.
void check(herr_t code, std::string_view what);

/// An HDF5 identifier that is closed by the function that belongs to its kind. Move-only.
class Handle {
 public:
  using Close = herr_t (*)(hid_t);

  /// Takes what an HDF5 call returned; throws Error when that is an error.
  Handle(hid_t id, Close close, std::string_view what);
  ~Handle();
  Handle(Handle&& other) noexcept;
  Handle& operator=(Handle&& other) noexcept;

  [[nodiscard]] hid_t id() const { return id_; }

 private:
  hid_t id_;
  Close close_;
};

[[nodiscard]] Handle property_list(hid_t kind);

/// A new, empty HDF5 file that lives in memory only; see file_image.
[[nodiscard]] Handle create_file_in_memory();
/// The bytes of a complete HDF5 file with all that was written to `file`.
[[nodiscard]] std::vector<std::byte> file_image(const Handle& file);
/// A new, empty HDF5 file on the disk, in which data sets that are allocated at once lie in the order of
/// their making; replaces what is there.
[[nodiscard]] Handle create_file(const std::string& path);
/// Opens a file for reading, without a lock: run files never change once they have their name.
[[nodiscard]] Handle open_file(const std::string& path);

/// A group that remembers the order in which its members were made.
[[nodiscard]] Handle create_group(const Handle& place, const std::string& name);
[[nodiscard]] Handle open_group(const Handle& place, const std::string& name);
[[nodiscard]] bool has_member(const Handle& place, const std::string& name);
/// The names in a group, in the order in which they were made where the file knows it.
[[nodiscard]] std::vector<std::string> member_names(const Handle& group);

[[nodiscard]] Handle open_dataset(const Handle& place, const std::string& name);
/// Version of the HDF5 library that runs, e.g. "1.10.8".
[[nodiscard]] std::string library_version();

}  // namespace lockstep::record::hdf5
