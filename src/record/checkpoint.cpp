// SPDX-License-Identifier: BSD-3-Clause
// The checkpoint file, written front to back, and read with its checksum.
#include "record/checkpoint.hpp"

#include <algorithm>
#include <system_error>
#include <utility>

#include <fmt/format.h>

#include "core/build_info.hpp"
#include "core/error.hpp"
#include "record/hdf5_values.hpp"

namespace lockstep::record {
namespace {

namespace fs = std::filesystem;

constexpr int checkpoint_version = 1;
constexpr std::size_t piece_floats = std::size_t{1} << 20;  // that are read at once

// What the checksum covers beside the values: a name and a shape that do not fit are as bad.
std::string heading(const std::string& name, const std::vector<std::size_t>& shape) {
  return fmt::format("\n{} [{}]\n", name, fmt::join(shape, ", "));
}

std::size_t length_of(const std::vector<std::size_t>& shape) {
  std::size_t length = 1;
  for (const std::size_t extent : shape) length *= extent;
  return length;
}

// The part [begin, begin + count) of an array of one dimension, or of one row of two, in the file.
hdf5::Handle part_of(const hdf5::Handle& dataset, std::size_t begin, std::size_t count) {
  hdf5::Handle space(H5Dget_space(dataset.id()), H5Sclose, "look at an array's shape");
  const auto shape = hdf5::shape_of(dataset);
  const std::size_t row = shape.back();
  const hsize_t start[2] = {shape.size() == 2 ? begin / row : begin, begin % row};
  const hsize_t extent[2] = {shape.size() == 2 ? 1 : count, count};
  hdf5::check(H5Sselect_hyperslab(space.id(), H5S_SELECT_SET, start, nullptr, extent, nullptr),
              "select a part of an array");
  return space;
}

hdf5::Handle memory_space(std::size_t count) {
  const hsize_t length = count;
  return {H5Screate_simple(1, &length, nullptr), H5Sclose, "describe memory"};
}

// Calls visit(begin, count) for the pieces of an array: none longer than piece_floats or a row.
template <class Visit>
void for_pieces(const std::vector<std::size_t>& shape, Visit visit) {
  const std::size_t row = shape.back();
  const std::size_t length = length_of(shape);
  for (std::size_t at = 0; at < length;) {
    const std::size_t left_of_row = row - at % row;
    const std::size_t count = std::min(left_of_row, piece_floats);
    visit(at, count);
    at += count;
  }
}

void read_part(const hdf5::Handle& dataset, std::size_t begin, std::span<float> values) {
  if (values.empty()) return;
  hdf5::check(H5Dread(dataset.id(), H5T_NATIVE_FLOAT, memory_space(values.size()).id(),
                      part_of(dataset, begin, values.size()).id(), H5P_DEFAULT, values.data()),
              "read an array");
}

std::string checksum_of(const hdf5::Handle& file) {
  Sha256 checksum;
  checksum.add(hdf5::read_text(file, "about"));
  const hdf5::Handle numbers = hdf5::open_group(file, "numbers");
  for (const std::string& name : hdf5::member_names(numbers)) {
    const std::vector<double> values = hdf5::read_doubles(hdf5::open_dataset(numbers, name));
    checksum.add(heading(name, {values.size()}));
    checksum.add(std::as_bytes(std::span(values)));
  }
  const hdf5::Handle arrays = hdf5::open_group(file, "arrays");
  std::vector<float> piece(piece_floats);
  for (const std::string& name : hdf5::member_names(arrays)) {
    const hdf5::Handle dataset = hdf5::open_dataset(arrays, name);
    const auto shape = hdf5::shape_of(dataset);
    if (shape.empty() || shape.size() > 2) throw Error({.what = "an array of a strange shape"});
    checksum.add(heading(name, shape));
    for_pieces(shape, [&](std::size_t begin, std::size_t count) {
      const auto values = std::span(piece).first(count);
      read_part(dataset, begin, values);
      checksum.add(std::as_bytes(values));
    });
  }
  return checksum.hex();
}

[[noreturn]] void refuse(const fs::path& path, const std::string& expected, const std::string& got) {
  throw Error({.what = path.string() + " is no whole checkpoint",
               .expected = expected,
               .got = got,
               .hint = "it was cut short or changed after it was written"});
}

hdf5::Handle open_checkpoint(const fs::path& path) {
  std::error_code unseen;
  if (!fs::exists(path, unseen)) throw Error({.what = "cannot read " + path.string(), .got = "no such file"});
  try {
    return hdf5::open_file(path.string());
  } catch (const Error& failure) {
    refuse(path, "an HDF5 file", failure.what());
  }
}

}  // namespace

fs::path checkpoint_path(const fs::path& run_file) { return fs::path(run_file).replace_extension(".ckpt"); }

fs::path previous_checkpoint_path(const fs::path& run_file) {
  return checkpoint_path(run_file) += ".previous";
}

CheckpointWriter::CheckpointWriter(fs::path path, const Json& about)
    : partial_(std::move(path)),
      file_(hdf5::create_file(partial_.path().string())),
      numbers_(hdf5::create_group(file_, "numbers")),
      arrays_(hdf5::create_group(file_, "arrays")) {
  const std::string text = about.dump(2, ' ', false, Json::error_handler_t::replace);
  hdf5::write_text(file_, "about", text);
  checksum_.add(text);
}

void CheckpointWriter::numbers(const std::string& name, std::span<const double> of_ranks) {
  hdf5::write_value(numbers_, name, Json(std::vector<double>(of_ranks.begin(), of_ranks.end())));
  checksum_.add(heading(name, {of_ranks.size()}));
  checksum_.add(std::as_bytes(of_ranks));
}

void CheckpointWriter::begin_array(const std::string& name, const std::vector<std::size_t>& shape) {
  end_array();
  const std::vector<hsize_t> extent(shape.begin(), shape.end());
  const hdf5::Handle space(H5Screate_simple(static_cast<int>(extent.size()), extent.data(), nullptr),
                           H5Sclose, "create a data space");
  const hdf5::Handle properties = hdf5::property_list(H5P_DATASET_CREATE);
  // Every value is written once, by write(); and equal states give equal bytes.
  hdf5::check(H5Pset_fill_time(properties.id(), H5D_FILL_TIME_NEVER), "leave fill values out");
  hdf5::check(H5Pset_obj_track_times(properties.id(), false), "leave times out");
  array_.emplace(H5Dcreate2(arrays_.id(), name.c_str(), H5T_IEEE_F32LE, space.id(), H5P_DEFAULT,
                            properties.id(), H5P_DEFAULT),
                 H5Dclose, "create the array " + name);
  begin_ = 0;
  length_ = length_of(shape);
  checksum_.add(heading(name, shape));
}

void CheckpointWriter::write(std::span<const float> values) {
  if (values.empty()) return;
  hdf5::check(H5Dwrite(array_->id(), H5T_NATIVE_FLOAT, memory_space(values.size()).id(),
                       part_of(*array_, begin_, values.size()).id(), H5P_DEFAULT, values.data()),
              "write an array");
  checksum_.add(std::as_bytes(values));
  begin_ += values.size();
}

void CheckpointWriter::end_array() {
  if (!array_) return;
  if (begin_ != length_)
    throw Error({.what = "a checkpoint's array is not complete",
                 .expected = std::to_string(length_) + " values",
                 .got = std::to_string(begin_)});
  array_->finish("write an array");
  array_.reset();
}

void CheckpointWriter::finish(const fs::path& previous) {
  end_array();
  hdf5::write_attribute(file_, "checkpoint_version", checkpoint_version);
  hdf5::write_attribute(file_, "creator", "Lockstep " + std::string(build_info::version));
  hdf5::write_attribute(file_, "sha256", checksum_.hex());
  numbers_.finish("write numbers");
  arrays_.finish("write arrays");
  hdf5::check(H5Fflush(file_.id(), H5F_SCOPE_GLOBAL), "write a checkpoint");
  file_.finish("write a checkpoint");
  partial_.finish(Durability::survives_power_loss, previous);
}

CheckpointReader::CheckpointReader(const fs::path& path) : file_(open_checkpoint(path)) {
  std::string expected;
  std::string got;
  try {
    if (!hdf5::has_attribute(file_, "checkpoint_version") || !hdf5::has_attribute(file_, "sha256"))
      refuse(path, "the attributes checkpoint_version and sha256", "a file without them");
    const int version = hdf5::read_int_attribute(file_, "checkpoint_version");
    if (version != checkpoint_version)
      throw Error({.what = path.string() + " was written by another version of Lockstep",
                   .expected = fmt::format("checkpoint_version {}", checkpoint_version),
                   .got = fmt::format("checkpoint_version {}", version)});
    expected = hdf5::read_text_attribute(file_, "sha256");
    got = checksum_of(file_);
    about_ = Json::parse(hdf5::read_text(file_, "about"));
  } catch (const Error&) {
    throw;
  } catch (const std::exception& failure) {  // of JSON, or of an impossible size
    refuse(path, "what a checkpoint holds", failure.what());
  }
  if (got != expected) refuse(path, "contents with the SHA-256 " + expected, got);
}

std::vector<double> CheckpointReader::numbers(const std::string& name) const {
  return hdf5::read_doubles(hdf5::open_dataset(hdf5::open_group(file_, "numbers"), name));
}

std::vector<std::size_t> CheckpointReader::shape(const std::string& array) const {
  return hdf5::shape_of(hdf5::open_dataset(hdf5::open_group(file_, "arrays"), array));
}

void CheckpointReader::read(const std::string& array, std::size_t begin, std::span<float> values) const {
  read_part(hdf5::open_dataset(hdf5::open_group(file_, "arrays"), array), begin, values);
}

std::vector<std::string> CheckpointReader::names() const {
  std::vector<std::string> all = hdf5::member_names(hdf5::open_group(file_, "numbers"));
  for (const std::string& name : hdf5::member_names(hdf5::open_group(file_, "arrays"))) all.push_back(name);
  return all;
}

}  // namespace lockstep::record
