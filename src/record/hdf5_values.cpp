// SPDX-License-Identifier: BSD-3-Clause
// Which HDF5 type and shape a value gets, and how it is read again.
#include <algorithm>
#include <bit>
#include <cstdint>
#include <functional>
#include <limits>
#include <memory>
#include <numeric>
#include <type_traits>

#include <fmt/format.h>

#include "core/error.hpp"
#include "core/json.hpp"
#include "core/json_text.hpp"
#include "record/hdf5.hpp"

namespace lockstep::record::hdf5 {
namespace {

using Shape = std::vector<std::size_t>;  // empty: a single value

static_assert(std::endian::native == std::endian::little, "numbers are in the file as in memory");

template <class T>
hid_t type_of() {
  if constexpr (std::is_same_v<T, std::int8_t>) return H5T_STD_I8LE;
  if constexpr (std::is_same_v<T, std::byte>) return H5T_STD_U8LE;
  if constexpr (std::is_same_v<T, std::int32_t>) return H5T_STD_I32LE;
  if constexpr (std::is_same_v<T, std::int64_t>) return H5T_STD_I64LE;
  if constexpr (std::is_same_v<T, std::uint64_t>) return H5T_STD_U64LE;
  if constexpr (std::is_same_v<T, float>) return H5T_IEEE_F32LE;
  if constexpr (std::is_same_v<T, double>) return H5T_IEEE_F64LE;
}

// Variable length, so that h5py gives str; UTF-8.
Handle text_type() {
  Handle type(H5Tcopy(H5T_C_S1), H5Tclose, "create a text type");
  check(H5Tset_size(type.id(), H5T_VARIABLE), "set a text type's length");
  check(H5Tset_cset(type.id(), H5T_CSET_UTF8), "set a text type's character set");
  return type;
}

std::vector<hsize_t> dimensions(const Shape& shape) { return {shape.begin(), shape.end()}; }

Handle space_of(const Shape& shape, bool extensible = false) {
  if (shape.empty()) return {H5Screate(H5S_SCALAR), H5Sclose, "create a data space"};
  const auto now = dimensions(shape);
  auto most = now;
  if (extensible) most.front() = H5S_UNLIMITED;
  return {H5Screate_simple(static_cast<int>(shape.size()), now.data(), most.data()), H5Sclose,
          "create a data space"};
}

// Without times of creation, equal records give equal bytes.
Handle dataset_properties() {
  Handle list = property_list(H5P_DATASET_CREATE);
  check(H5Pset_obj_track_times(list.id(), false), "leave times out");
  return list;
}

// By default HDF5 clears 1 MiB for every text that it moves: most of the time to write a small run file.
Handle transfer_properties() {
  constexpr std::size_t conversion_bytes = 16 << 10;
  Handle list = property_list(H5P_DATASET_XFER);
  check(H5Pset_buffer(list.id(), conversion_bytes, nullptr, nullptr), "set the size of a conversion buffer");
  return list;
}

Handle write_dataset(const Handle& place, const std::string& name, hid_t type, const void* values,
                     const Handle& space, const Handle& properties = dataset_properties()) {
  if (name.empty() || name == "." || name.find('/') != std::string::npos)
    throw Error({.what = fmt::format("'{}' cannot name a data set", name),
                 .expected = "a name without '/', neither empty nor '.'"});
  Handle dataset(
      H5Dcreate2(place.id(), name.c_str(), type, space.id(), H5P_DEFAULT, properties.id(), H5P_DEFAULT),
      H5Dclose, fmt::format("create the data set {}", name));
  check(H5Dwrite(dataset.id(), type, H5S_ALL, H5S_ALL, transfer_properties().id(), values),
        fmt::format("write the data set {}", name));
  return dataset;
}

void write_attribute(const Handle& object, const std::string& name, hid_t type, const void* values,
                     const Shape& shape) {
  const Handle space = space_of(shape);
  const Handle attribute(H5Acreate2(object.id(), name.c_str(), type, space.id(), H5P_DEFAULT, H5P_DEFAULT),
                         H5Aclose, fmt::format("create the attribute {}", name));
  check(H5Awrite(attribute.id(), type, values), fmt::format("write the attribute {}", name));
}

void read_dataset(const Handle& dataset, hid_t type, void* values) {
  check(H5Dread(dataset.id(), type, H5S_ALL, H5S_ALL, transfer_properties().id(), values), "read a data set");
}

std::size_t element_count(const Shape& shape) {
  return std::accumulate(shape.begin(), shape.end(), std::size_t{1}, std::multiplies<>());
}

Handle type_in_file(const Handle& dataset) {
  return {H5Dget_type(dataset.id()), H5Tclose, "look at a data set's type"};
}

// How many elements a data set has. Throws Error unless the file holds that many: memory is taken for them,
// and the size may be a lie.
std::size_t checked_count(const Handle& dataset) {
  constexpr double most_unpacked = 1040;  // bytes from one, which DEFLATE cannot exceed
  const Shape shape = shape_of(dataset);
  const auto bytes = std::accumulate(
      shape.begin(), shape.end(), static_cast<double>(H5Tget_size(type_in_file(dataset).id())),
      [](double product, std::size_t length) { return product * static_cast<double>(length); });
  const Handle properties(H5Dget_create_plist(dataset.id()), H5Pclose, "look at a data set");
  const bool packed = H5Pget_nfilters(properties.id()) > 0;
  const bool elsewhere = H5Pget_external_count(properties.id()) != 0;  // in other files
  const auto held = elsewhere ? 0.0 : static_cast<double>(H5Dget_storage_size(dataset.id()));
  if (bytes > held * (packed ? most_unpacked : 1))
    throw Error({.what = "a data set is larger than what the file holds of it",
                 .expected = fmt::format("{:.0f} bytes", bytes),
                 .got = fmt::format("{:.0f} bytes", held)});
  return element_count(shape);
}

template <class T>
std::vector<T> read_numbers(const Handle& dataset) {
  std::vector<T> numbers(checked_count(dataset));
  read_dataset(dataset, type_of<T>(), numbers.data());
  return numbers;
}

// Numbers of type T, which become `Shown` in JSON.
template <class T, class Shown = T>
Json read_json_numbers(const Handle& dataset) {
  const std::vector<T> numbers = read_numbers<T>(dataset);
  if (shape_of(dataset).empty()) return static_cast<Shown>(numbers.at(0));
  return std::vector<Shown>(numbers.begin(), numbers.end());
}

// A single value has the scalar shape, an array the shape [n].
template <class T>
void write_json_numbers(const Handle& place, const std::string& name, const Json& value) {
  const auto numbers = value.is_array() ? value.get<std::vector<T>>() : std::vector{value.get<T>()};
  const Shape shape = value.is_array() ? Shape{numbers.size()} : Shape{};
  (void)write_dataset(place, name, type_of<T>(), numbers.data(), space_of(shape));
}

// Bytes that are not UTF-8, e.g. of an environment variable, become U+FFFD, so that all readers can decode.
std::string valid_utf8(const std::string& text) {
  return Json::parse(Json(text).dump(-1, ' ', false, Json::error_handler_t::replace)).get<std::string>();
}

void write_texts(const Handle& place, const std::string& name, const std::vector<std::string>& texts,
                 const Shape& shape) {
  std::vector<std::string> valid;
  for (const std::string& text : texts) valid.push_back(valid_utf8(text));
  std::vector<const char*> starts;
  for (const std::string& text : valid) starts.push_back(text.c_str());
  (void)write_dataset(place, name, text_type().id(), starts.data(), space_of(shape));
}

// `read(memory type, target)` reads all elements of a data set or an attribute.
template <class Read>
std::vector<std::string> read_texts(const Handle& file_type, const Handle& space, const Read& read) {
  if (H5Tget_class(file_type.id()) != H5T_STRING)
    throw Error({.what = "a data set or an attribute does not hold text"});
  const auto points = H5Sget_simple_extent_npoints(space.id());
  check(points < 0 ? -1 : 0, "count a data space's elements");
  const auto count = static_cast<std::size_t>(points);
  std::vector<std::string> texts;
  if (H5Tis_variable_str(file_type.id()) > 0) {
    const Handle type = text_type();
    check(H5Tset_cset(type.id(), H5Tget_cset(file_type.id())), "set a text type's character set");
    std::vector<char*> starts(count, nullptr);  // of memory that HDF5 allocates
    const auto reclaim = [&](void* all) { H5Dvlen_reclaim(type.id(), space.id(), H5P_DEFAULT, all); };
    const std::unique_ptr<void, decltype(reclaim)> owner(starts.data(), reclaim);
    read(type.id(), starts.data());
    for (const char* start : starts) texts.emplace_back(start == nullptr ? "" : start);
  } else {
    // Other tools write texts of a fixed length, which end at the first NUL.
    const std::size_t length = H5Tget_size(file_type.id());
    std::string bytes(count * length, '\0');
    read(file_type.id(), bytes.data());
    for (std::size_t i = 0; i < count; ++i) texts.emplace_back(bytes.substr(i * length, length).c_str());
  }
  return texts;
}

std::vector<std::string> read_texts(const Handle& dataset) {
  (void)checked_count(dataset);
  const Handle space(H5Dget_space(dataset.id()), H5Sclose, "look at a data set's shape");
  return read_texts(type_in_file(dataset), space,
                    [&](hid_t memory_type, void* target) { read_dataset(dataset, memory_type, target); });
}

std::string single(const std::vector<std::string>& texts, const std::string& name) {
  if (texts.size() != 1)
    throw Error({.what = fmt::format("{} should hold one text", name), .got = std::to_string(texts.size())});
  return texts.front();
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

// The kind that holds every element. Numbers of different kinds are reals; no kind holds other mixtures.
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
      if (!value.is_array()) return write_text(place, name, value.get<std::string>());
      return write_texts(place, name, value.get<std::vector<std::string>>(), {value.size()});
    case Kind::boolean:
      return write_json_numbers<std::int8_t>(place, name, value);
    case Kind::integer:
      return write_json_numbers<std::int64_t>(place, name, value);
    case Kind::big_integer:
      return write_json_numbers<std::uint64_t>(place, name, value);
    case Kind::real:
      return write_json_numbers<double>(place, name, value);
    case Kind::other:
      write_text(place, name, json_text(value));
      return write_attribute(open_dataset(place, name), "encoding", "json");
  }
}

Json read_value(const Handle& place, const std::string& name) {
  const Handle dataset = open_dataset(place, name);
  const Handle type = type_in_file(dataset);
  const H5T_class_t type_class = H5Tget_class(type.id());
  if (type_class == H5T_STRING) {
    const auto texts = read_texts(dataset);
    if (!shape_of(dataset).empty()) return texts;
    const std::string text = single(texts, name);
    return has_attribute(dataset, "encoding") ? parse_json(text) : Json(text);
  }
  if (type_class == H5T_FLOAT) return read_json_numbers<double>(dataset);
  if (type_class != H5T_INTEGER)
    throw Error({.what = fmt::format("the data set {} holds neither text nor numbers", name)});
  if (H5Tget_size(type.id()) == 1) return read_json_numbers<std::int8_t, bool>(dataset);
  return H5Tget_sign(type.id()) == H5T_SGN_NONE ? read_json_numbers<std::uint64_t>(dataset)
                                                : read_json_numbers<std::int64_t>(dataset);
}

void write_group(const Handle& place, const std::string& name, const Json& values) {
  const Handle group = create_group(place, name);
  for (const auto& [key, value] : values.items()) write_value(group, key, value);
}

void write_text(const Handle& place, const std::string& name, const std::string& text) {
  write_texts(place, name, {text}, {});
}

std::string read_text(const Handle& place, const std::string& name) {
  return single(read_texts(open_dataset(place, name)), name);
}

std::string json_text(const Json& value) { return value.dump(2, ' ', false, Json::error_handler_t::replace); }

Handle write_series(const Handle& place, const std::string& name, std::span<const double> values,
                    const std::vector<std::size_t>& shape) {
  // 64 epochs a chunk, fewer where that would be more than 64 KiB.
  constexpr std::size_t most_rows = 64, most_values = 8192;
  Shape chunk = shape;
  chunk.at(0) = 1;
  chunk.at(0) = std::clamp<std::size_t>(most_values / element_count(chunk), 1, most_rows);
  constexpr double not_measured = std::numeric_limits<double>::quiet_NaN();
  const Handle properties = dataset_properties();
  check(H5Pset_chunk(properties.id(), static_cast<int>(chunk.size()), dimensions(chunk).data()),
        "set the chunks");
  check(H5Pset_fill_value(properties.id(), H5T_NATIVE_DOUBLE, &not_measured), "set the fill value");
  return write_dataset(place, name, type_of<double>(), values.data(), space_of(shape, /*extensible=*/true),
                       properties);
}

std::vector<double> read_doubles(const Handle& dataset) { return read_numbers<double>(dataset); }

void write_floats(const Handle& place, const std::string& name, std::span<const float> values,
                  const std::vector<std::size_t>& shape) {
  (void)write_dataset(place, name, type_of<float>(), values.data(), space_of(shape));
}

void write_bytes(const Handle& place, const std::string& name, std::span<const std::byte> bytes) {
  (void)write_dataset(place, name, type_of<std::byte>(), bytes.data(), space_of({bytes.size()}));
}

std::vector<std::byte> read_bytes(const Handle& dataset) { return read_numbers<std::byte>(dataset); }

std::vector<float> read_floats(const Handle& dataset) { return read_numbers<float>(dataset); }

void write_attribute(const Handle& object, const std::string& name, const std::string& text) {
  const std::string valid = valid_utf8(text);
  const char* start = valid.c_str();
  write_attribute(object, name, text_type().id(), &start, {});
}

void write_attribute(const Handle& object, const std::string& name, int number) {
  write_attribute(object, name, type_of<std::int32_t>(), &number, {});
}

// What H5DSset_label writes, without the need to link HDF5's high-level library.
void write_dimension_labels(const Handle& dataset, const std::vector<const char*>& labels) {
  write_attribute(dataset, "DIMENSION_LABELS", text_type().id(), labels.data(), {labels.size()});
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
  const auto texts = read_texts(type, space, [&](hid_t memory_type, void* target) {
    check(H5Aread(attribute.id(), memory_type, target), fmt::format("read the attribute {}", name));
  });
  return single(texts, name);
}

int read_version(const Handle& file, const std::string& path, const std::string& attribute, int newest) {
  if (!has_attribute(file, attribute)) return 0;
  const Handle opened = open_attribute(file, attribute);
  const Handle space(H5Aget_space(opened.id()), H5Sclose, "look at an attribute's shape");
  if (H5Sget_simple_extent_npoints(space.id()) != 1)
    throw Error({.what = path + " is damaged", .expected = "one number in the attribute " + attribute});
  int version = 0;
  check(H5Aread(opened.id(), type_of<std::int32_t>(), &version),
        fmt::format("read the attribute {}", attribute));
  if (version > newest)
    throw Error({.what = path + " was written by a newer Lockstep",
                 .expected = fmt::format("{} {} or older", attribute, newest),
                 .got = fmt::format("{} {}", attribute, version),
                 .hint = "read it with the Lockstep that wrote it, or a later one"});
  return version;
}

}  // namespace lockstep::record::hdf5
