// SPDX-License-Identifier: BSD-3-Clause
// RAII over the HDF5 C API: checked calls, handles, files, groups, data sets of texts and numbers.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <hdf5.h>

#include "core/json_fwd.hpp"

namespace lockstep::record::hdf5 {

/// Throws Error with HDF5's error stack if `code` is negative; `what` says what failed, e.g. "open x.h5".
void check(herr_t code, std::string_view what);

/// An HDF5 identifier, closed by the function of its kind. Move-only.
class Handle {
 public:
  using Close = herr_t (*)(hid_t);

  /// Takes the result of an HDF5 call; throws Error when that is an error.
  Handle(hid_t id, Close close, std::string_view what);
  ~Handle();
  Handle(Handle&& other) noexcept;

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
/// Opens the bytes of an HDF5 file for reading; HDF5 copies them.
[[nodiscard]] Handle open_image(std::span<const std::byte> image);
/// A new, empty HDF5 file on the disk, which replaces an older one. Data sets that are allocated at once lie
/// in it in the order in which they were made.
[[nodiscard]] Handle create_file(const std::string& path);
/// Opens a file for reading, without a lock: run files never change once they have their name.
[[nodiscard]] Handle open_file(const std::string& path);

/// A group that remembers the order in which its members were made.
[[nodiscard]] Handle create_group(const Handle& place, const std::string& name);
[[nodiscard]] Handle open_group(const Handle& place, const std::string& name);
[[nodiscard]] Handle open_dataset(const Handle& place, const std::string& name);
[[nodiscard]] bool has_member(const Handle& place, const std::string& name);
/// The names in a group, in the order in which they were made where the file knows it.
[[nodiscard]] std::vector<std::string> member_names(const Handle& group);

/// Version of the HDF5 library that runs, e.g. "1.10.8".
[[nodiscard]] std::string library_version();

// Values (hdf5_values.cpp).

/// The length of each dimension; empty for a single value.
[[nodiscard]] std::vector<std::size_t> shape_of(const Handle& dataset);

/// A text, number, boolean (as int8), or flat array of one of these, as a data set of that type. Everything
/// else (objects, null, mixed arrays) becomes JSON text, and its attribute `encoding` is "json".
void write_value(const Handle& place, const std::string& name, const Json& value);
/// What write_value wrote.
[[nodiscard]] Json read_value(const Handle& place, const std::string& name);
/// A group with write_value of each member of the object `values`.
void write_group(const Handle& place, const std::string& name, const Json& values);

/// One text as a data set: variable length, UTF-8.
void write_text(const Handle& place, const std::string& name, const std::string& text);
[[nodiscard]] std::string read_text(const Handle& place, const std::string& name);
/// A value as the text that such a data set holds of it: indented, valid UTF-8.
[[nodiscard]] std::string json_text(const Json& value);

/// Doubles, row-major; chunked, and extensible along the first dimension, where NaN is the fill value.
[[nodiscard]] Handle write_series(const Handle& place, const std::string& name,
                                  std::span<const double> values, const std::vector<std::size_t>& shape);
[[nodiscard]] std::vector<double> read_doubles(const Handle& dataset);

/// Floats of the given shape, row-major.
void write_floats(const Handle& place, const std::string& name, std::span<const float> values,
                  const std::vector<std::size_t>& shape);
[[nodiscard]] std::vector<float> read_floats(const Handle& dataset);

/// Bytes, as an array [n] of unsigned numbers.
void write_bytes(const Handle& place, const std::string& name, std::span<const std::byte> bytes);
[[nodiscard]] std::vector<std::byte> read_bytes(const Handle& dataset);

void write_attribute(const Handle& object, const std::string& name, const std::string& text);
void write_attribute(const Handle& object, const std::string& name, int number);
/// The names of a data set's dimensions, as HDF5's dimension scales keep them (DIMENSION_LABELS).
void write_dimension_labels(const Handle& dataset, const std::vector<const char*>& labels);
[[nodiscard]] bool has_attribute(const Handle& object, const std::string& name);
[[nodiscard]] std::string read_text_attribute(const Handle& object, const std::string& name);
/// The number in the attribute that says which version of a layout the file has, or 0 if there is none.
/// Throws Error if it is above `newest`.
[[nodiscard]] int read_version(const Handle& file, const std::string& path, const std::string& attribute,
                               int newest);

}  // namespace lockstep::record::hdf5
