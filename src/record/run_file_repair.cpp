// SPDX-License-Identifier: BSD-3-Clause
// Every piece of a damaged run file is read by itself. An epoch is saved only if its own checksum is right.
#include "record/run_file_repair.hpp"

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <vector>

#include <fmt/format.h>

#include "core/error.hpp"
#include "core/json.hpp"
#include "core/names.hpp"
#include "record/checkpoint.hpp"
#include "record/file_checksum.hpp"
#include "record/isolated.hpp"
#include "record/run_file.hpp"

namespace lockstep::record {
namespace {

namespace fs = std::filesystem;

constexpr double limit_s = 20.0;

std::string first_line(const std::string& text) { return text.substr(0, text.find('\n')); }

// HDF5 refuses a file that is shorter than its superblock says.
void fill_missing_end(std::vector<std::byte>& file) {
  constexpr std::size_t version_at = 8, end_at = 40;  // of a superblock of version 0
  constexpr std::uint64_t most = std::uint64_t{1} << 30;
  std::uint64_t end = 0;
  if (file.size() < end_at + sizeof(end) || file[version_at] != std::byte{0}) return;
  std::memcpy(&end, file.data() + end_at, sizeof(end));
  if (end <= most && end > file.size()) file.resize(end);
}

/// What is read so far, and the names of what could not be.
struct Salvage {
  RunRecord record;
  std::vector<std::string> left_out;
  std::size_t epochs = 0, epochs_before = 0;
  bool is_verified = false;  // by checksums of epochs; files of 0.1.0 have none

  template <class Read>
  void attempt(const std::string& name, const Read& read) {
    try {
      read();
    } catch (const std::exception&) {
      left_out.push_back(name);
    }
  }
};

// The values of the first rows, up to the first chunk that cannot be read.
std::vector<double> readable_rows(const hdf5::Handle& dataset, hsize_t rows, hsize_t width) {
  const hdf5::Handle properties(H5Dget_create_plist(dataset.id()), H5Pclose, "look at a data set");
  std::array<hsize_t, 2> chunk{1, 1};
  hdf5::check(H5Pget_chunk(properties.id(), 2, chunk.data()), "look at chunks");
  std::vector<double> values;
  for (hsize_t row = 0; row < rows; row += std::max<hsize_t>(chunk[0], 1)) {
    const hsize_t count = std::min(std::max<hsize_t>(chunk[0], 1), rows - row);
    const std::array<hsize_t, 2> start{row, 0}, extent{count, width};
    const hsize_t size = count * width;
    const hdf5::Handle in_file(H5Dget_space(dataset.id()), H5Sclose, "look at a shape");
    hdf5::check(
        H5Sselect_hyperslab(in_file.id(), H5S_SELECT_SET, start.data(), nullptr, extent.data(), nullptr),
        "select rows");
    const hdf5::Handle in_memory(H5Screate_simple(1, &size, nullptr), H5Sclose, "describe memory");
    std::vector<double> piece(size);
    if (H5Dread(dataset.id(), H5T_NATIVE_DOUBLE, in_memory.id(), in_file.id(), H5P_DEFAULT, piece.data()) < 0)
      break;
    values.insert(values.end(), piece.begin(), piece.end());
  }
  return values;
}

void salvage_series(const hdf5::Handle& file, const std::string& group_name, Salvage& salvage) {
  const hdf5::Handle group = hdf5::open_group(file, group_name);
  for (const std::string& name : hdf5::member_names(group)) {
    const hdf5::Handle dataset = hdf5::open_dataset(group, name);
    const auto shape = hdf5::shape_of(dataset);
    if (shape.empty() || shape.size() > 2) throw Error({.what = name + " is no series"});
    Series series{.group = group_name,
                  .name = name,
                  .unit = hdf5::read_text_attribute(dataset, "unit"),
                  .description = hdf5::read_text_attribute(dataset, "description"),
                  .ranks = shape.size() == 2 ? shape[1] : 0};
    const std::size_t width = std::max<std::size_t>(series.ranks, 1);
    series.values = readable_rows(dataset, shape[0], width);
    const std::size_t epochs = series.values.size() / width;
    if (epochs < shape[0])
      salvage.left_out.push_back(fmt::format("{}/{} after epoch {}", group_name, name, epochs));
    const bool is_first = salvage.record.series.empty();
    salvage.epochs = is_first ? epochs : std::min(salvage.epochs, epochs);
    salvage.epochs_before = std::max(salvage.epochs_before, static_cast<std::size_t>(shape[0]));
    salvage.record.series.push_back(std::move(series));
  }
}

// Shortens the record to the epochs before the first one whose checksum is wrong.
void keep_right_epochs(const hdf5::Handle& file, Salvage& salvage) {
  salvage.is_verified = hdf5::has_member(file, "epoch_checksums");
  if (!salvage.is_verified) return;
  const Json expected = hdf5::read_value(file, "epoch_checksums");
  const std::vector<std::string> found = salvage.record.epoch_checksums();
  salvage.epochs = 0;
  while (salvage.epochs < std::min(found.size(), expected.size()) &&
         expected[salvage.epochs] == found[salvage.epochs])
    ++salvage.epochs;
  salvage.record.truncate(salvage.epochs);
}

// Throws Error if what no run file can be without cannot be read.
Salvage read_what_can_be_read(const std::vector<std::byte>& bytes, const std::string& name) {
  Salvage salvage;
  RunRecord& record = salvage.record;
  const hdf5::Handle file = hdf5::open_image(bytes);
  if (hdf5::read_version(file, name, "schema_version", schema_version) == 0)
    throw Error({.what = name + " is no run file, or does not say so any more"});
  record.config = Json::parse(hdf5::read_text(file, "config"));
  salvage.attempt("run_id", [&] { record.run_id = hdf5::read_text_attribute(file, "run_id"); });
  salvage.attempt("started", [&] { record.started = hdf5::read_text_attribute(file, "started"); });
  salvage.attempt("finished", [&] { record.finished = hdf5::read_text_attribute(file, "finished"); });
  salvage.attempt("model", [&] { record.model = Json::parse(hdf5::read_text(file, "model")); });
  const hdf5::Handle provenance = hdf5::open_group(file, "provenance");
  for (const std::string& key : hdf5::member_names(provenance))
    salvage.attempt("provenance/" + key, [&] { record.provenance[key] = hdf5::read_value(provenance, key); });
  for (const char* needed : {"ranks", "hosts"})
    if (!record.provenance.contains(needed))
      throw Error({.what = fmt::format("provenance/{} cannot be read", needed)});
  for (const char* group : {"epochs", "exchange"}) salvage_series(file, group, salvage);
  salvage.left_out.emplace_back("segments");  // their times are of the whole run
  record.truncate(salvage.epochs);
  keep_right_epochs(file, salvage);
  record.status = "failed";
  return salvage;
}

}  // namespace

FileCheck check_file(const fs::path& path) {
  const auto damaged = [](const std::string& why) {
    return FileCheck{FileCheck::State::damaged, first_line(why)};
  };
  try {
    if (path.filename().string().find(".ckpt") != std::string::npos) {
      const auto read = run_isolated(limit_s, [&] { return CheckpointReader(path).path().string(); });
      return read.trouble.empty() ? FileCheck{} : damaged(read.trouble);
    }
    const std::vector<std::byte> bytes = read_bytes(path);
    const Checksum checksum = compare_checksum(bytes);
    if (bytes.empty()) return damaged("it is empty");
    if (checksum == Checksum::wrong) return damaged("its checksum is wrong");
    const auto read = run_isolated(limit_s, [&] { return read_run_file(path).run_id; });
    if (!read.trouble.empty()) return damaged(read.trouble);
    return {checksum == Checksum::right ? FileCheck::State::good : FileCheck::State::no_checksum};
  } catch (const Error& failure) {
    return damaged(failure.what());
  }
}

Repair repair_run_file(const fs::path& path) {
  const auto nothing = [&](const std::string& why) {
    throw Error({.what = "nothing of " + path.string() + " can be saved", .got = why});
  };
  std::vector<std::byte> bytes = read_bytes(path);
  if (compare_checksum(bytes) == Checksum::right)
    throw Error({.what = path.string() + " is not damaged: its checksum is right"});
  Repair repair{.to = fs::path(path).replace_extension(".repaired.h5")};
  if (fs::exists(repair.to))
    throw Error({.what = "there is already a " + repair.to.string(), .hint = "move it away first"});
  const bool is_older = !contains(bytes, checksum_note);
  fill_missing_end(bytes);
  const IsolatedResult read = run_isolated(limit_s, [&] {
    Salvage salvage = read_what_can_be_read(bytes, path.string());
    if (!salvage.is_verified && !is_older)
      throw Error({.what = "the checksums of its epochs cannot be read"});
    if (salvage.epochs == 0) throw Error({.what = "no epoch is whole in all series"});
    Json note = {{"from", path.filename().string()},
                 {"epochs", salvage.epochs},
                 {"epochs_before", salvage.epochs_before},
                 {"left_out", join(salvage.left_out)},
                 {"verified", salvage.is_verified}};
    salvage.record.provenance["repaired"] = note;
    const std::vector<std::byte> whole = run_file_bytes(salvage.record);
    return std::string(reinterpret_cast<const char*>(whole.data()), whole.size());
  });
  if (!read.trouble.empty()) nothing(read.trouble);
  const auto whole = std::as_bytes(std::span(read.output));
  const Json note = read_run_file_bytes(whole, repair.to.string()).provenance.at("repaired");
  replace_file(repair.to, whole, Durability::survives_power_loss);
  repair.epochs = note.at("epochs").get<std::size_t>();
  repair.epochs_before = note.at("epochs_before").get<std::size_t>();
  repair.left_out = note.at("left_out").get<std::string>();
  return repair;
}

}  // namespace lockstep::record
