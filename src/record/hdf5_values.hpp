// SPDX-License-Identifier: BSD-3-Clause
// What a run file keeps in HDF5: texts, numbers, arrays of them, series, attributes.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <vector>

#include "core/json_fwd.hpp"
#include "record/hdf5.hpp"

namespace lockstep::record::hdf5 {

[[nodiscard]] Handle open_dataset(const Handle& place, const std::string& name);
/// The length of each dimension; empty for a single value.
[[nodiscard]] std::vector<std::size_t> shape_of(const Handle& dataset);

/// A text, number, boolean (as int8), or flat array of one of these, as a data set of that type. Everything
/// else (objects, null, mixed arrays) becomes JSON text, and its attribute `encoding` is "json".
void write_value(const Handle& place, const std::string& name, const Json& value);
/// What write_value wrote.
[[nodiscard]] Json read_value(const Handle& place, const std::string& name);

/// One text as a data set: variable length, UTF-8.
void write_text(const Handle& place, const std::string& name, const std::string& text);
[[nodiscard]] std::string read_text(const Handle& place, const std::string& name);

/// Doubles of the given shape, row-major; chunked, and extensible along the first dimension (filled with
/// NaN).
[[nodiscard]] Handle write_series(const Handle& place, const std::string& name,
                                  std::span<const double> values, const std::vector<std::size_t>& shape);
[[nodiscard]] std::vector<double> read_doubles(const Handle& dataset);

/// Floats of the given shape, row-major.
void write_floats(const Handle& place, const std::string& name, std::span<const float> values,
                  const std::vector<std::size_t>& shape);
[[nodiscard]] std::vector<float> read_floats(const Handle& dataset);

void write_attribute(const Handle& object, const std::string& name, const std::string& text);
void write_attribute(const Handle& object, const std::string& name, int number);
/// The names of a data set's dimensions, as HDF5's dimension scales keep them (DIMENSION_LABELS).
void write_dimension_labels(const Handle& dataset, const std::vector<std::string>& labels);
[[nodiscard]] bool has_attribute(const Handle& object, const std::string& name);
[[nodiscard]] std::string read_text_attribute(const Handle& object, const std::string& name);
[[nodiscard]] int read_int_attribute(const Handle& object, const std::string& name);

}  // namespace lockstep::record::hdf5
