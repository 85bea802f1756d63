// SPDX-License-Identifier: BSD-3-Clause
// The checkpoint file, written front to back, and read with its checksum.
#include "record/checkpoint.hpp"

#include <algorithm>
#include <fstream>
#include <functional>
#include <numeric>
#include <system_error>

#include <fmt/format.h>

#include "core/build_info.hpp"
#include "core/error.hpp"
#include "core/json.hpp"
#include "core/json_text.hpp"
#include "record/file_checksum.hpp"
#include "record/hdf5.hpp"

namespace lockstep::record {
namespace {

namespace fs = std::filesystem;

constexpr int checkpoint_version = 1;
constexpr std::size_t piece_bytes = std::size_t{4} << 20;  // read at once

std::size_t bytes_of(const CheckpointContents::Array& array) {
  return std::accumulate(array.shape.begin(), array.shape.end(), sizeof(float), std::multiplies<>());
}

[[noreturn]] void refuse(const fs::path& path, const std::string& expected, const std::string& got) {
  throw Error({.what = path.string() + " is no whole checkpoint",
               .expected = expected,
               .got = got,
               .hint = "it was cut short or changed after it was written"});
}

// Throws Error unless the file is as it was written.
void check_checksum(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  std::uintmax_t left = size_of(file);
  if (left < checksum_length) refuse(path, "a checksum at its end", "a file without it");
  left -= checksum_length;
  Sha256 checksum;
  std::vector<char> piece(piece_bytes);
  for (; left > 0; left -= std::min<std::uintmax_t>(left, piece.size())) {
    const auto bytes = std::span(piece).first(std::min<std::uintmax_t>(left, piece.size()));
    file.read(bytes.data(), static_cast<std::streamsize>(bytes.size()));
    if (!file) refuse(path, "a file that can be read", "an error while reading");
    checksum.add(std::as_bytes(bytes));
  }
  std::string expected(checksum_length, '\0');
  file.read(expected.data(), checksum_length);
  if (const std::string got = checksum.hex(); got != expected)
    refuse(path, "contents with the SHA-256 at its end", got);
}

// Makes a data set without values; returns where in the file they will be.
std::size_t allocate(const hdf5::Handle& place, const CheckpointContents::Array& array) {
  const std::vector<hsize_t> extent(array.shape.begin(), array.shape.end());
  const hdf5::Handle space(H5Screate_simple(static_cast<int>(extent.size()), extent.data(), nullptr),
                           H5Sclose, "create a data space");
  const hdf5::Handle properties = hdf5::property_list(H5P_DATASET_CREATE);
  hdf5::check(H5Pset_alloc_time(properties.id(), H5D_ALLOC_TIME_EARLY), "allocate at once");
  hdf5::check(H5Pset_fill_time(properties.id(), H5D_FILL_TIME_NEVER), "leave fill values out");
  hdf5::check(H5Pset_obj_track_times(properties.id(), false), "leave times out");
  const hdf5::Handle dataset(H5Dcreate2(place.id(), array.name.c_str(), H5T_NATIVE_FLOAT, space.id(),
                                        H5P_DEFAULT, properties.id(), H5P_DEFAULT),
                             H5Dclose, "create the data set " + array.name);
  const haddr_t offset = H5Dget_offset(dataset.id());
  if (offset == HADDR_UNDEF)
    throw Error({.what = "HDF5 does not say where the array " + array.name + " lies"});
  return static_cast<std::size_t>(offset);
}

// Makes the file without the arrays' values; returns where in the file they will be.
std::vector<std::size_t> lay_out(const MemoryFile& layout, const CheckpointContents& contents) {
  const hdf5::Handle file = hdf5::create_file(layout.path().string());
  layout.hide();
  hdf5::write_attribute(file, "checkpoint_version", checkpoint_version);
  hdf5::write_attribute(file, "creator", "Lockstep " + std::string(build_info::version));
  hdf5::write_text(file, "about", hdf5::json_text(contents.about));
  const hdf5::Handle numbers = hdf5::create_group(file, "numbers");
  for (const auto& [name, of_ranks] : contents.numbers) hdf5::write_value(numbers, name, Json(of_ranks));
  if (!contents.run_file.empty()) hdf5::write_bytes(file, "run_file", contents.run_file);
  std::vector<std::size_t> offsets;
  const hdf5::Handle arrays = hdf5::create_group(file, "arrays");
  for (const auto& array : contents.arrays) offsets.push_back(allocate(arrays, array));
  hdf5::check(H5Fflush(file.id(), H5F_SCOPE_GLOBAL), "lay out a checkpoint");
  return offsets;
}

hdf5::Handle open_checkpoint(const fs::path& path) {
  check_checksum(path);
  try {
    return hdf5::open_file(path.string());
  } catch (const Error& failure) {
    refuse(path, "an HDF5 file", failure.what());
  }
}

// Another process may replace the file between the comparison of its checksum and its opening.
hdf5::Handle open_unchanged(const fs::path& path) {
  while (true) {
    const std::string identity = file_identity(path);
    if (identity.empty()) throw Error({.what = "cannot read " + path.string(), .got = "no such file"});
    try {
      hdf5::Handle file = open_checkpoint(path);
      if (file_identity(path) == identity) return file;
    } catch (const Error&) {
      if (file_identity(path) == identity) throw;
    }
  }
}

}  // namespace

fs::path checkpoint_path(const fs::path& run_file) { return fs::path(run_file).replace_extension(".ckpt"); }

fs::path previous_checkpoint_path(const fs::path& run_file) {
  return checkpoint_path(run_file) += ".previous";
}

bool has_checkpoint(const fs::path& run_file) {
  std::error_code unseen;
  return fs::exists(checkpoint_path(run_file), unseen) ||
         fs::exists(previous_checkpoint_path(run_file), unseen);
}

void remove_checkpoints(const fs::path& run_file) {
  std::error_code ignored;
  fs::remove(checkpoint_path(run_file), ignored);
  fs::remove(previous_checkpoint_path(run_file), ignored);
}

CheckpointWriter::CheckpointWriter(const fs::path& path, const CheckpointContents& contents)
    : partial_(path) {
  const std::vector<std::size_t> offsets = lay_out(layout_, contents);
  end_ = layout_.size();
  for (std::size_t i = 0; i < offsets.size(); ++i)
    arrays_.push_back({offsets[i], bytes_of(contents.arrays[i])});
  if (!std::ranges::is_sorted(arrays_, {}, &Place::offset))
    throw Error({.what = "HDF5 does not lay arrays out in the order in which they were made"});
  partial_.reserve(end_ + checksum_length);
}

// The bytes that HDF5 wrote, up to where an array or the file's end begins.
void CheckpointWriter::add_layout_up_to(std::size_t offset) {
  std::vector<std::byte> bytes(offset - checked_);
  layout_.read_at(checked_, bytes);
  checksum_.add(bytes);
  partial_.write_at(checked_, bytes);
  checked_ = offset;
}

void CheckpointWriter::write(std::span<const float> values) {
  if (values.empty()) return;
  if (array_ == arrays_.size() || written_ + values.size_bytes() > arrays_[array_].bytes)
    throw Error({.what = "a checkpoint's arrays have no room for so many values"});
  const Place& place = arrays_[array_];
  if (written_ == 0) add_layout_up_to(place.offset);
  checksum_.add(std::as_bytes(values));
  checked_ += values.size_bytes();
  partial_.write_at(place.offset + written_, std::as_bytes(values));
  written_ += values.size_bytes();
  if (written_ < place.bytes) return;
  ++array_;
  written_ = 0;
}

void CheckpointWriter::finish(const fs::path& previous) {
  if (array_ != arrays_.size())
    throw Error({.what = "a checkpoint is not complete",
                 .expected = fmt::format("{} arrays", arrays_.size()),
                 .got = std::to_string(array_)});
  add_layout_up_to(end_);
  const std::string checksum = checksum_.hex();
  partial_.write_at(end_, std::as_bytes(std::span(checksum)));
  partial_.finish(Durability::survives_power_loss, previous);
}

CheckpointReader::CheckpointReader(const fs::path& path) : path_(path), file_(open_unchanged(path)) {
  try {
    if (hdf5::read_version(file_, path.string(), "checkpoint_version", checkpoint_version) == 0)
      refuse(path, "the attribute checkpoint_version", "a file without it");
    contents_.about = parse_json(hdf5::read_text(file_, "about"));
  } catch (const Json::exception& failure) {
    refuse(path, "a JSON text about it", failure.what());
  }
  const hdf5::Handle numbers = hdf5::open_group(file_, "numbers");
  for (const std::string& name : hdf5::member_names(numbers))
    contents_.numbers.push_back({name, hdf5::read_doubles(hdf5::open_dataset(numbers, name))});
  if (hdf5::has_member(file_, "run_file"))
    contents_.run_file = hdf5::read_bytes(hdf5::open_dataset(file_, "run_file"));
  const hdf5::Handle arrays = hdf5::open_group(file_, "arrays");
  for (const std::string& name : hdf5::member_names(arrays))
    contents_.arrays.push_back({name, hdf5::shape_of(hdf5::open_dataset(arrays, name))});
}

// The values are a part of an array of one dimension, or of one row of two.
void CheckpointReader::read(const std::string& array, std::size_t begin, std::span<float> values) const {
  if (values.empty()) return;
  const hdf5::Handle dataset = hdf5::open_dataset(hdf5::open_group(file_, "arrays"), array);
  const auto shape = hdf5::shape_of(dataset);
  if (shape.empty() || shape.size() > 2 || shape.back() == 0)
    throw Error(
        {.what = "the array " + array + " of a checkpoint has no values", .expected = "[n] or [rank, n]"});
  const bool has_rows = shape.size() == 2;
  const hsize_t start[2] = {has_rows ? begin / shape.back() : begin, begin % shape.back()};
  const hsize_t count = values.size();
  const hsize_t extent[2] = {has_rows ? 1 : count, count};
  const hdf5::Handle in_file(H5Dget_space(dataset.id()), H5Sclose, "look at an array's shape");
  hdf5::check(H5Sselect_hyperslab(in_file.id(), H5S_SELECT_SET, start, nullptr, extent, nullptr),
              "select a part of an array");
  const hdf5::Handle in_memory(H5Screate_simple(1, &count, nullptr), H5Sclose, "describe memory");
  hdf5::check(
      H5Dread(dataset.id(), H5T_NATIVE_FLOAT, in_memory.id(), in_file.id(), H5P_DEFAULT, values.data()),
      "read an array");
}

}  // namespace lockstep::record
