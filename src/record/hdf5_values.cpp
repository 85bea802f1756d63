// SPDX-License-Identifier: BSD-3-Clause
// Which HDF5 type and shape a value gets, and the way back.
#include "record/hdf5_values.hpp"

#include <algorithm>
#include <cstdint>
#include <limits>
#include <string_view>

#include <fmt/format.h>

#include "core/error.hpp"
#include "core/json.hpp"

namespace lockstep::record::hdf5 {
namespace {

std::vector<hsize_t> dimensions(const std::vector<std::size_t>& shape) {
  return {shape.begin(), shape.end()};
}

Handle scalar_space() { return {H5Screate(H5S_SCALAR), H5Sclose, "create a data space"}; }

Handle simple_space(const std::vector<std::size_t>& shape, bool extensible = false) {
  const auto now = dimensions(shape);
  auto most = now;
  if (extensible) most.at(0) = H5S_UNLIMITED;
  return {H5Screate_simple(static_cast<int>(shape.size()), now.data(), most.data()), H5Sclose,
          "create a data space"};
}

// Variable length, so that h5py gives str; UTF-8.
Handle text_type() {
  Handle type(H5Tcopy(H5T_C_S1), H5Tclose, "create a text type");
  check(H5Tset_size(type.id(), H5T_VARIABLE), "set a text type's length");
  check(H5Tset_cset(type.id(), H5T_CSET_UTF8), "set a text type's character set");
  return type;
}

// Bytes that are no UTF-8 (an environment variable may hold any) become U+FFFD, so that every reader can
// decode.
std::string valid_utf8(const std::string& text) {
  return Json::parse(Json(text).dump(-1, ' ', false, Json::error_handler_t::replace)).get<std::string>();
}

// Without times of creation, equal records give equal bytes.
Handle dataset_properties() {
  Handle list = property_list(H5P_DATASET_CREATE);
  check(H5Pset_obj_track_times(list.id(), false), "leave times out");
  return list;
}

Handle create_dataset(const Handle& place, const std::string& name, hid_t type, const Handle& space,
                      const Handle& properties) {
  if (name.empty() || name == "." || name.find('/') != std::string::npos)
    throw Error({.what = fmt::format("'{}' cannot name a data set", name),
                 .expected = "a name without '/', neither empty nor '.'"});
  return {H5Dcreate2(place.id(), name.c_str(), type, space.id(), H5P_DEFAULT, properties.id(), H5P_DEFAULT),
          H5Dclose, fmt::format("create the data set {}", name)};
}

// HDF5 clears a conversion buffer of 1 MiB for every text that it moves, unless told of a smaller one; that
// is most of the time of writing a small run file.
Handle transfer_properties() {
  constexpr std::size_t conversion_bytes = 16 << 10;
  Handle list = property_list(H5P_DATASET_XFER);
  check(H5Pset_buffer(list.id(), conversion_bytes, nullptr, nullptr), "set the size of a conversion buffer");
  return list;
}

void write_all(const Handle& dataset, hid_t memory_type, const void* values, const std::string& name) {
  check(H5Dwrite(dataset.id(), memory_type, H5S_ALL, H5S_ALL, transfer_properties().id(), values),
        fmt::format("write the data set {}", name));
}

void read_all(const Handle& dataset, hid_t memory_type, void* values) {
  check(H5Dread(dataset.id(), memory_type, H5S_ALL, H5S_ALL, transfer_properties().id(), values),
        "read a data set");
}

std::size_t element_count(const std::vector<std::size_t>& shape) {
  std::size_t count = 1;
  for (const std::size_t length : shape) count *= length;
  return count;
}

// A single value has the scalar shape, an array the shape [n].
template <class T>
void write_numbers(const Handle& place, const std::string& name, hid_t file_type, hid_t memory_type,
                   const Json& value) {
  std::vector<T> numbers;
  if (value.is_array())
    for (const Json& element : value) numbers.push_back(element.get<T>());
  else
    numbers.push_back(value.get<T>());
  const Handle space = value.is_array() ? simple_space({numbers.size()}) : scalar_space();
  write_all(create_dataset(place, name, file_type, space, dataset_properties()), memory_type, numbers.data(),
            name);
}

void write_texts(const Handle& place, const std::string& name, const std::vector<std::string>& texts) {
  std::vector<std::string> valid;
  for (const std::string& text : texts) valid.push_back(valid_utf8(text));
  std::vector<const char*> starts;
  for (const std::string& text : valid) starts.push_back(text.c_str());
  const Handle type = text_type();
  write_all(create_dataset(place, name, type.id(), simple_space({texts.size()}), dataset_properties()),
            type.id(), starts.data(), name);
}

template <class T>
Json read_numbers(const Handle& dataset, hid_t memory_type) {
  const auto shape = shape_of(dataset);
  std::vector<T> numbers(element_count(shape));
  read_all(dataset, memory_type, numbers.data());
  return shape.empty() ? Json(numbers.at(0)) : Json(numbers);
}

// Texts that HDF5 allocated, given back to it when done with.
class LibraryTexts {
 public:
  LibraryTexts(std::size_t count, const Handle& type, const Handle& space)
      : starts_(count, nullptr), type_(type), space_(space) {}
  ~LibraryTexts() { H5Dvlen_reclaim(type_.id(), space_.id(), H5P_DEFAULT, starts_.data()); }
  LibraryTexts(const LibraryTexts&) = delete;
  LibraryTexts& operator=(const LibraryTexts&) = delete;

  [[nodiscard]] void* data() { return starts_.data(); }
  [[nodiscard]] std::vector<std::string> texts() const {
    std::vector<std::string> copies;
    for (const char* start : starts_) copies.emplace_back(start == nullptr ? "" : start);
    return copies;
  }

 private:
  std::vector<char*> starts_;
  const Handle& type_;
  const Handle& space_;
};

// Texts of fixed length, as other tools write them, are cut at the first NUL.
std::vector<std::string> split_fixed(const std::vector<char>& bytes, std::size_t length) {
  std::vector<std::string> texts;
  for (std::size_t start = 0; start + length <= bytes.size(); start += length) {
    const std::string_view text(bytes.data() + start, length);
    texts.emplace_back(text.substr(0, text.find('\0')));
  }
  return texts;
}

std::string single(const std::vector<std::string>& texts, const std::string& name) {
  if (texts.size() != 1)
    throw Error({.what = fmt::format("{} should hold one text", name), .got = std::to_string(texts.size())});
  return texts.front();
}

// `read(memory type, target)` reads all elements of a data set or an attribute.
template <class Read>
std::vector<std::string> read_texts(const Handle& file_type, const Handle& space, const Read& read) {
  const auto points = H5Sget_simple_extent_npoints(space.id());
  check(points < 0 ? -1 : 0, "count a data space's elements");
  const auto count = static_cast<std::size_t>(points);
  if (H5Tis_variable_str(file_type.id()) > 0) {
    Handle type = text_type();
    check(H5Tset_cset(type.id(), H5Tget_cset(file_type.id())), "set a text type's character set");
    LibraryTexts texts(count, type, space);
    read(type, texts.data());
    return texts.texts();
  }
  const std::size_t length = H5Tget_size(file_type.id());
  std::vector<char> bytes(count * length);
  read(file_type, bytes.data());
  return split_fixed(bytes, length);
}

std::vector<std::string> read_texts(const Handle& dataset) {
  const Handle type(H5Dget_type(dataset.id()), H5Tclose, "look at a data set's type");
  const Handle space(H5Dget_space(dataset.id()), H5Sclose, "look at a data set's shape");
  if (H5Tget_class(type.id()) != H5T_STRING) throw Error({.what = "a data set does not hold text"});
  return read_texts(type, space, [&](const Handle& memory_type, void* target) {
    read_all(dataset, memory_type.id(), target);
  });
}

void write_texts_attribute(const Handle& object, const std::string& name, const Handle& space,
                           const std::vector<std::string>& texts) {
  std::vector<const char*> starts;
  for (const std::string& text : texts) starts.push_back(text.c_str());
  const Handle type = text_type();
  const Handle attribute(
      H5Acreate2(object.id(), name.c_str(), type.id(), space.id(), H5P_DEFAULT, H5P_DEFAULT), H5Aclose,
      fmt::format("create the attribute {}", name));
  check(H5Awrite(attribute.id(), type.id(), starts.data()), fmt::format("write the attribute {}", name));
}

Handle open_attribute(const Handle& object, const std::string& name) {
  return {H5Aopen(object.id(), name.c_str(), H5P_DEFAULT), H5Aclose,
          fmt::format("open the attribute {}", name)};
}

enum class Kind { text, boolean, integer, big_integer, real, other };

Kind kind_of(const Json& value) {
  if (value.is_string()) return Kind::text;
  if (value.is_boolean()) return Kind::boolean;
  if (value.is_number_float()) return Kind::real;
  if (value.is_number_unsigned() && value.get<std::uint64_t>() > std::numeric_limits<std::int64_t>::max())
    return Kind::big_integer;
  return value.is_number() ? Kind::integer : Kind::other;
}

// The kind that holds every element: numbers of different kinds are reals, anything else that is mixed is
// none.
Kind kind_of_elements(const Json& array) {
  if (array.empty()) return Kind::text;
  const Kind first = kind_of(array.front());
  if (std::all_of(array.begin(), array.end(), [&](const Json& element) { return kind_of(element) == first; }))
    return first;
  const bool numbers =
      std::all_of(array.begin(), array.end(), [](const Json& element) { return element.is_number(); });
  return numbers ? Kind::real : Kind::other;
}

}  // namespace

Handle open_dataset(const Handle& place, const std::string& name) {
  return {H5Dopen2(place.id(), name.c_str(), H5P_DEFAULT), H5Dclose,
          fmt::format("open the data set {}", name)};
}

std::vector<std::size_t> shape_of(const Handle& dataset) {
  const Handle space(H5Dget_space(dataset.id()), H5Sclose, "look at a data set's shape");
  const int rank = H5Sget_simple_extent_ndims(space.id());
  check(rank, "look at a data set's shape");
  std::vector<hsize_t> lengths(static_cast<std::size_t>(rank));
  check(H5Sget_simple_extent_dims(space.id(), lengths.data(), nullptr), "look at a data set's shape");
  return {lengths.begin(), lengths.end()};
}

void write_value(const Handle& place, const std::string& name, const Json& value) {
  switch (value.is_array() ? kind_of_elements(value) : kind_of(value)) {
    case Kind::text:
      if (value.is_array()) return write_texts(place, name, value.get<std::vector<std::string>>());
      return write_text(place, name, value.get<std::string>());
    case Kind::boolean: {
      Json as_numbers = value;
      if (value.is_array())
        for (Json& element : as_numbers) element = element.get<bool>() ? 1 : 0;
      else
        as_numbers = value.get<bool>() ? 1 : 0;
      return write_numbers<std::int8_t>(place, name, H5T_STD_I8LE, H5T_NATIVE_INT8, as_numbers);
    }
    case Kind::integer:
      return write_numbers<std::int64_t>(place, name, H5T_STD_I64LE, H5T_NATIVE_INT64, value);
    case Kind::big_integer:
      return write_numbers<std::uint64_t>(place, name, H5T_STD_U64LE, H5T_NATIVE_UINT64, value);
    case Kind::real:
      return write_numbers<double>(place, name, H5T_IEEE_F64LE, H5T_NATIVE_DOUBLE, value);
    case Kind::other:
      write_text(place, name, value.dump(2, ' ', false, Json::error_handler_t::replace));
      return write_attribute(open_dataset(place, name), "encoding", "json");
  }
}

Json read_value(const Handle& place, const std::string& name) {
  const Handle dataset = open_dataset(place, name);
  const Handle type(H5Dget_type(dataset.id()), H5Tclose, "look at a data set's type");
  const H5T_class_t type_class = H5Tget_class(type.id());
  if (type_class == H5T_STRING) {
    const auto texts = read_texts(dataset);
    if (!shape_of(dataset).empty()) return texts;
    const std::string text = single(texts, name);
    return has_attribute(dataset, "encoding") ? Json::parse(text) : Json(text);
  }
  if (type_class == H5T_FLOAT) return read_numbers<double>(dataset, H5T_NATIVE_DOUBLE);
  if (type_class != H5T_INTEGER)
    throw Error({.what = fmt::format("the data set {} holds neither text nor numbers", name)});
  if (H5Tget_size(type.id()) == 1) {
    Json value = read_numbers<std::int8_t>(dataset, H5T_NATIVE_INT8);
    if (!value.is_array()) return value != 0;
    for (Json& element : value) element = element != 0;
    return value;
  }
  return H5Tget_sign(type.id()) == H5T_SGN_NONE ? read_numbers<std::uint64_t>(dataset, H5T_NATIVE_UINT64)
                                                : read_numbers<std::int64_t>(dataset, H5T_NATIVE_INT64);
}

void write_text(const Handle& place, const std::string& name, const std::string& text) {
  const std::string valid = valid_utf8(text);
  const char* start = valid.c_str();
  const Handle type = text_type();
  write_all(create_dataset(place, name, type.id(), scalar_space(), dataset_properties()), type.id(), &start,
            name);
}

std::string read_text(const Handle& place, const std::string& name) {
  return single(read_texts(open_dataset(place, name)), name);
}

Handle write_series(const Handle& place, const std::string& name, std::span<const double> values,
                    const std::vector<std::size_t>& shape) {
  // 64 epochs a chunk, fewer where that would be more than 64 KiB.
  constexpr std::size_t most_rows = 64, most_values = 8192;
  std::vector<std::size_t> chunk = shape;
  chunk.at(0) = 1;
  chunk.at(0) = std::clamp<std::size_t>(most_values / element_count(chunk), 1, most_rows);
  constexpr double not_measured = std::numeric_limits<double>::quiet_NaN();
  const Handle properties = dataset_properties();
  check(H5Pset_chunk(properties.id(), static_cast<int>(chunk.size()), dimensions(chunk).data()),
        "set the chunks");
  check(H5Pset_fill_value(properties.id(), H5T_NATIVE_DOUBLE, &not_measured), "set the fill value");
  Handle dataset =
      create_dataset(place, name, H5T_IEEE_F64LE, simple_space(shape, /*extensible=*/true), properties);
  write_all(dataset, H5T_NATIVE_DOUBLE, values.data(), name);
  return dataset;
}

std::vector<double> read_doubles(const Handle& dataset) {
  std::vector<double> values(element_count(shape_of(dataset)));
  read_all(dataset, H5T_NATIVE_DOUBLE, values.data());
  return values;
}

void write_floats(const Handle& place, const std::string& name, std::span<const float> values,
                  const std::vector<std::size_t>& shape) {
  const Handle dataset =
      create_dataset(place, name, H5T_IEEE_F32LE, simple_space(shape), dataset_properties());
  write_all(dataset, H5T_NATIVE_FLOAT, values.data(), name);
}

std::vector<float> read_floats(const Handle& dataset) {
  std::vector<float> values(element_count(shape_of(dataset)));
  read_all(dataset, H5T_NATIVE_FLOAT, values.data());
  return values;
}

void write_attribute(const Handle& object, const std::string& name, const std::string& text) {
  write_texts_attribute(object, name, scalar_space(), {valid_utf8(text)});
}

void write_attribute(const Handle& object, const std::string& name, int number) {
  const Handle space = scalar_space();
  const Handle attribute(
      H5Acreate2(object.id(), name.c_str(), H5T_STD_I32LE, space.id(), H5P_DEFAULT, H5P_DEFAULT), H5Aclose,
      fmt::format("create the attribute {}", name));
  check(H5Awrite(attribute.id(), H5T_NATIVE_INT, &number), fmt::format("write the attribute {}", name));
}

// What H5DSset_label writes, without the need to link HDF5's high-level library.
void write_dimension_labels(const Handle& dataset, const std::vector<std::string>& labels) {
  write_texts_attribute(dataset, "DIMENSION_LABELS", simple_space({labels.size()}), labels);
}

bool has_attribute(const Handle& object, const std::string& name) {
  const htri_t found = H5Aexists(object.id(), name.c_str());
  check(found, fmt::format("look for the attribute {}", name));
  return found > 0;
}

std::string read_text_attribute(const Handle& object, const std::string& name) {
  const Handle attribute = open_attribute(object, name);
  const Handle type(H5Aget_type(attribute.id()), H5Tclose, "look at an attribute's type");
  const Handle space(H5Aget_space(attribute.id()), H5Sclose, "look at an attribute's shape");
  if (H5Tget_class(type.id()) != H5T_STRING)
    throw Error({.what = fmt::format("the attribute {} does not hold text", name)});
  const auto texts = read_texts(type, space, [&](const Handle& memory_type, void* target) {
    check(H5Aread(attribute.id(), memory_type.id(), target), fmt::format("read the attribute {}", name));
  });
  return single(texts, name);
}

int read_int_attribute(const Handle& object, const std::string& name) {
  const Handle attribute = open_attribute(object, name);
  int number = 0;
  check(H5Aread(attribute.id(), H5T_NATIVE_INT, &number), fmt::format("read the attribute {}", name));
  return number;
}

}  // namespace lockstep::record::hdf5
