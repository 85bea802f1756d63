// SPDX-License-Identifier: BSD-3-Clause
// Edits through HDF5's own functions, of a file in memory.
#include "hdf5_edits.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <numeric>

#include "fuzz.hpp"
#include "record/file_checksum.hpp"
#include "record/hdf5.hpp"

namespace lockstep::fuzz {
namespace {

using record::hdf5::check;
using record::hdf5::Handle;
using record::hdf5::property_list;
using Lengths = std::vector<hsize_t>;

/// The words of a line, from the first to the last.
class Words {
 public:
  explicit Words(std::string_view line) : rest_(line) {}
  std::string next() {
    const std::size_t end = std::min(rest_.find(' '), rest_.size());
    const std::string word(rest_.substr(0, end));
    rest_.remove_prefix(std::min(end + 1, rest_.size()));
    return word;
  }
  [[nodiscard]] std::string rest() const { return std::string(rest_); }

 private:
  std::string_view rest_;
};

template <class Number>
Number number_of(const std::string& text) {
  Number number{};
  std::from_chars(text.data(), text.data() + text.size(), number);
  return number;
}

Lengths lengths_of(const std::string& text) {
  constexpr std::size_t most_dimensions = 5;
  Lengths lengths;
  std::size_t at = 0;
  while (at < text.size() && lengths.size() < most_dimensions) {
    const std::size_t end = std::min(text.find('x', at), text.size());
    lengths.push_back(number_of<hsize_t>(text.substr(at, end - at)));
    at = end + 1;
  }
  return lengths;
}

Handle space_of(const std::string& lengths, bool extensible) {
  if (lengths == "scalar") return {H5Screate(H5S_SCALAR), H5Sclose, "create a space"};
  if (lengths == "null") return {H5Screate(H5S_NULL), H5Sclose, "create a space"};
  const Lengths now = lengths_of(lengths), most(now.size(), H5S_UNLIMITED);
  return {H5Screate_simple(static_cast<int>(now.size()), now.data(), extensible ? most.data() : nullptr),
          H5Sclose, "create a space"};
}

Handle copy_of(hid_t type) { return {H5Tcopy(type), H5Tclose, "copy a type"}; }

Handle type_of(const std::string& name) {
  if (name == "i8") return copy_of(H5T_STD_I8LE);
  if (name == "u8") return copy_of(H5T_STD_U8LE);
  if (name == "i32") return copy_of(H5T_STD_I32LE);
  if (name == "i64") return copy_of(H5T_STD_I64LE);
  if (name == "u64") return copy_of(H5T_STD_U64LE);
  if (name == "f32") return copy_of(H5T_IEEE_F32LE);
  if (name == "opaque") return {H5Tcreate(H5T_OPAQUE, 3), H5Tclose, "create a type"};
  if (name == "enum") {
    Handle type(H5Tenum_create(H5T_STD_I8LE), H5Tclose, "create a type");
    constexpr std::int8_t one = 1;
    check(H5Tenum_insert(type.id(), "one", &one), "name a number");
    return type;
  }
  if (name == "pair") {
    Handle type(H5Tcreate(H5T_COMPOUND, 16), H5Tclose, "create a type");
    check(H5Tinsert(type.id(), "a", 0, H5T_NATIVE_DOUBLE), "add a member");
    check(H5Tinsert(type.id(), "b", 8, H5T_NATIVE_DOUBLE), "add a member");
    return type;
  }
  if (name == "array") {
    constexpr hsize_t length = 3;
    return {H5Tarray_create2(H5T_NATIVE_DOUBLE, 1, &length), H5Tclose, "create a type"};
  }
  return copy_of(H5T_IEEE_F64LE);
}

Handle text_type(std::size_t length) {
  Handle type = copy_of(H5T_C_S1);
  check(H5Tset_size(type.id(), length), "set a length");
  return type;
}

void remove(const Handle& file, const std::string& path) { H5Ldelete(file.id(), path.c_str(), H5P_DEFAULT); }

Handle create(const Handle& file, const std::string& path, const Handle& type, const Handle& space,
              const Handle& properties) {
  remove(file, path);
  return {
      H5Dcreate2(file.id(), path.c_str(), type.id(), space.id(), H5P_DEFAULT, properties.id(), H5P_DEFAULT),
      H5Dclose, "create a data set"};
}

void set_layout(const Handle& properties, const std::string& layout, const std::string& lengths) {
  if (layout == "compact") check(H5Pset_layout(properties.id(), H5D_COMPACT), "set the layout");
  if (layout != "chunked" && layout != "packed") return;
  constexpr hsize_t longest = 4;
  Lengths chunk = lengths_of(lengths);
  for (hsize_t& length : chunk) length = std::clamp<hsize_t>(length, 1, longest);
  check(H5Pset_chunk(properties.id(), static_cast<int>(chunk.size()), chunk.data()), "set the chunks");
  if (layout == "packed") check(H5Pset_deflate(properties.id(), 1), "set the filter");
}

// Numbers all alike, as they lie in memory; none for sizes that only the file's head should name.
std::vector<std::byte> values_of(const Handle& type, const Handle& space, const std::string& number) {
  constexpr hssize_t most = 4096;
  const hssize_t count = H5Sget_simple_extent_npoints(space.id());
  double real = number_of<double>(number);
  const std::size_t size = H5Tget_size(type.id());
  if (count <= 0 || count > most || size > 64) return {};
  std::array<std::byte, 64> one{};
  if (H5Tget_class(type.id()) == H5T_FLOAT || H5Tget_class(type.id()) == H5T_INTEGER) {
    std::copy_n(reinterpret_cast<const std::byte*>(&real), sizeof(real), one.begin());
    check(H5Tconvert(H5T_NATIVE_DOUBLE, type.id(), 1, one.data(), nullptr, H5P_DEFAULT), "convert a number");
  }
  std::vector<std::byte> values;
  for (hssize_t i = 0; i < count; ++i)
    values.insert(values.end(), one.begin(), one.begin() + static_cast<int>(size));
  return values;
}

void add_data(const Handle& file, const std::string& path, Words words) {
  const std::string name = words.next(), lengths = words.next(), layout = words.next(), number = words.next();
  const Handle type = type_of(name), space = space_of(lengths, layout == "chunked" || layout == "packed");
  const Handle properties = property_list(H5P_DATASET_CREATE);
  set_layout(properties, layout, lengths);
  const Handle dataset = create(file, path, type, space, properties);
  const auto values = layout == "unwritten" ? std::vector<std::byte>() : values_of(type, space, number);
  if (!values.empty())
    check(H5Dwrite(dataset.id(), type.id(), H5S_ALL, H5S_ALL, H5P_DEFAULT, values.data()), "write");
}

void add_text(const Handle& file, const std::string& path, const std::string& text, bool fixed) {
  const Handle type = text_type(fixed ? std::max<std::size_t>(text.size(), 1) : H5T_VARIABLE);
  const Handle dataset =
      create(file, path, type, space_of("scalar", false), property_list(H5P_DATASET_CREATE));
  const char* start = text.c_str();
  check(H5Dwrite(dataset.id(), type.id(), H5S_ALL, H5S_ALL, H5P_DEFAULT,
                 fixed ? static_cast<const void*>(start) : &start),
        "write");
}

void add_attribute(const Handle& object, const std::string& name, const Handle& type, const Handle& space,
                   const void* values) {
  H5Adelete(object.id(), name.c_str());
  const Handle attribute(
      H5Acreate2(object.id(), name.c_str(), type.id(), space.id(), H5P_DEFAULT, H5P_DEFAULT), H5Aclose,
      "create an attribute");
  if (values != nullptr) check(H5Awrite(attribute.id(), type.id(), values), "write an attribute");
}

void edit_attribute(const Handle& file, const std::string& verb, const std::string& path, Words words) {
  const Handle object(H5Oopen(file.id(), path.c_str(), H5P_DEFAULT), H5Oclose, "open an object");
  const std::string name = words.next();
  if (verb == "no_attribute") {
    H5Adelete(object.id(), name.c_str());
  } else if (verb == "text_attribute") {
    const std::string text = words.rest();
    const char* start = text.c_str();
    add_attribute(object, name, text_type(H5T_VARIABLE), space_of("scalar", false), &start);
  } else {
    const Handle type = type_of(words.next()), space = space_of(words.next(), false);
    const auto values = values_of(type, space, words.next());
    add_attribute(object, name, type, space, values.empty() ? nullptr : values.data());
  }
}

void edit(const Handle& file, std::string_view line) {
  Words words(line);
  const std::string verb = words.next(), path = words.next();
  if (verb == "remove") remove(file, path);
  if (verb == "group") (void)record::hdf5::create_group(file, path);
  if (verb == "data") add_data(file, path, words);
  if (verb == "text" || verb == "fixed") add_text(file, path, words.rest(), verb == "fixed");
  if (verb.ends_with("attribute")) edit_attribute(file, verb, path, words);
  if (verb == "extend") {
    const Lengths lengths = lengths_of(words.next());
    const Handle dataset = record::hdf5::open_dataset(file, path);
    if (record::hdf5::shape_of(dataset).size() == lengths.size()) H5Dset_extent(dataset.id(), lengths.data());
  }
  if (verb == "soft") {
    remove(file, path);
    H5Lcreate_soft(words.next().c_str(), file.id(), path.c_str(), H5P_DEFAULT, H5P_DEFAULT);
  }
  if (verb == "hard") {
    remove(file, path);
    H5Lcreate_hard(file.id(), words.next().c_str(), file.id(), path.c_str(), H5P_DEFAULT, H5P_DEFAULT);
  }
}

Handle open_for_edits(std::span<const std::byte> bytes) {
  constexpr std::size_t growth_bytes = 1 << 16;
  const Handle access = property_list(H5P_FILE_ACCESS);
  check(H5Pset_fapl_core(access.id(), growth_bytes, /*backing_store=*/false), "keep a file in memory");
  check(H5Pset_file_image(access.id(), const_cast<std::byte*>(bytes.data()), bytes.size()), "take an image");
  return {H5Fopen("edited", H5F_ACC_RDWR, access.id()), H5Fclose, "open a file"};
}

}  // namespace

std::vector<std::byte> edited(std::span<const std::byte> file, std::string_view edits) {
  check(H5Eset_auto2(H5E_DEFAULT, nullptr, nullptr), "turn error printing off");
  // Half a megabyte for each file that is opened: kept by HDF5, it need not be mapped anew for each input.
  check(H5set_free_list_limits(-1, -1, -1, -1, -1, -1), "keep memory");
  constexpr std::size_t most_edits = 50;
  const Handle opened = open_for_edits(file);
  std::vector<std::string> lines = lines_of(edits);
  lines.resize(std::min(lines.size(), most_edits));
  for (const std::string& line : lines) expect_errors_only([&] { edit(opened, line); });
  std::vector<std::byte> bytes = record::hdf5::file_image(opened);
  record::append_checksum(bytes);
  return bytes;
}

std::vector<std::byte> bytes_written_by(const std::function<void(const std::string& path)>& write) {
  std::string folder = (std::filesystem::temp_directory_path() / "lockstep-fuzz-XXXXXX").string();
  require(::mkdtemp(folder.data()) != nullptr, "a folder can be made");
  write(folder + "/file");
  std::vector<std::byte> bytes = record::read_bytes(folder + "/file");
  std::filesystem::remove_all(folder);
  bytes.resize(bytes.size() - record::checksum_length);
  return bytes;
}

}  // namespace lockstep::fuzz
