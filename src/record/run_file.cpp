// SPDX-License-Identifier: BSD-3-Clause
// The layout of the run file, written and read; and when it is written.
#include "record/run_file.hpp"

#include <algorithm>
#include <array>
#include <exception>
#include <random>
#include <system_error>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "core/build_info.hpp"
#include "core/clock.hpp"
#include "core/error.hpp"
#include "core/json.hpp"
#include "core/json_text.hpp"
#include "record/file_checksum.hpp"
#include "record/hdf5.hpp"
#include "record/provenance.hpp"

namespace lockstep::record {
namespace {

namespace fs = std::filesystem;

constexpr std::array<const char*, 2> series_groups = {"epochs", "exchange"};

void write_one_series(const hdf5::Handle& group, const Series& series) {
  const std::size_t width = std::max<std::size_t>(series.ranks, 1);
  if (series.values.size() % width != 0)
    throw Error(
        {.what = fmt::format("the series {}/{} does not consist of whole epochs", series.group, series.name),
         .expected = fmt::format("a multiple of {} values", width),
         .got = std::to_string(series.values.size())});
  std::vector<std::size_t> shape{series.values.size() / width};
  std::vector<const char*> labels{"epoch"};
  if (series.ranks > 0) {
    shape.push_back(series.ranks);
    labels.push_back("rank");
  }
  const hdf5::Handle dataset = hdf5::write_series(group, series.name, series.values, shape);
  hdf5::write_attribute(dataset, "unit", series.unit);
  hdf5::write_attribute(dataset, "description", series.description);
  hdf5::write_dimension_labels(dataset, labels);
}

void write_series_groups(const hdf5::Handle& file, const std::vector<Series>& all) {
  for (const Series& series : all)
    if (std::ranges::find(series_groups, series.group) == series_groups.end())
      throw Error({.what = fmt::format("the series {} has the unknown group '{}'", series.name, series.group),
                   .expected = "epochs or exchange"});
  for (const char* name : series_groups) {
    const hdf5::Handle group = hdf5::create_group(file, name);
    for (const Series& series : all)
      if (series.group == name) write_one_series(group, series);
  }
}

// Calls visit(name, member) for each column of /segments, an array [segment].
template <class Visit>
void for_columns(Visit visit) {
  visit("started", &Segment::started);
  visit("finished", &Segment::finished);
  visit("status", &Segment::status);
  visit("first_epoch", &Segment::first_epoch);
  visit("first_step", &Segment::first_step);
  visit("lost_s", &Segment::lost_s);
  visit("job", &Segment::job);
  visit("restart_count", &Segment::restart_count);
  visit("hosts", &Segment::hosts);
}

void write_segments(const hdf5::Handle& file, const std::vector<Segment>& segments) {
  if (segments.empty()) return;
  const hdf5::Handle group = hdf5::create_group(file, "segments");
  for_columns([&](const char* name, auto member) {
    Json column = Json::array();
    for (const Segment& segment : segments) column.push_back(segment.*member);
    hdf5::write_value(group, name, column);
  });
}

void read_into(std::size_t& count, const Json& value) { count = count_of(value); }
template <class Value>
void read_into(Value& to, const Json& value) {
  value.get_to(to);
}

// Files from before there were segments have none.
void read_segments(const hdf5::Handle& file, std::vector<Segment>& segments) {
  if (!hdf5::has_member(file, "segments")) return;
  const hdf5::Handle group = hdf5::open_group(file, "segments");
  for_columns([&](const char* name, auto member) {
    const Json column = hdf5::read_value(group, name);
    segments.resize(column.size());
    for (std::size_t i = 0; i < segments.size(); ++i) read_into(segments[i].*member, column.at(i));
  });
}

std::string make_writer() {
  std::random_device random;
  return fmt::format("{:08x}{:08x}", random(), random());
}

// The first eight bytes distinguish a file that is not HDF5 from one that is damaged.
std::vector<std::byte> read_hdf5_bytes(const fs::path& path) {
  constexpr std::array<unsigned char, 8> signature = {0x89, 'H', 'D', 'F', '\r', '\n', 0x1a, '\n'};
  std::error_code error;
  const fs::file_status status = fs::status(path, error);
  const std::string what = "cannot read the run file " + path.string();
  if (!fs::exists(status))
    throw Error({.what = what, .got = fs::status_known(status) ? "no such file" : error.message()});
  if (fs::is_directory(status)) throw Error({.what = what, .expected = "a file", .got = "a folder"});
  std::vector<std::byte> bytes = read_bytes(path);
  if (bytes.empty()) throw DamagedFile({.what = path.string() + " is no run file", .got = "an empty file"});
  if (bytes.size() < signature.size() ||
      !std::ranges::equal(std::span(bytes).first(signature.size()), std::as_bytes(std::span(signature))))
    throw DamagedFile({.what = path.string() + " is no run file", .expected = "an HDF5 file"});
  return bytes;
}

void read_series_group(const hdf5::Handle& file, const std::string& group_name, std::vector<Series>& all) {
  const hdf5::Handle group = hdf5::open_group(file, group_name);
  for (const std::string& name : hdf5::member_names(group)) {
    const hdf5::Handle dataset = hdf5::open_dataset(group, name);
    const auto shape = hdf5::shape_of(dataset);
    if (shape.empty() || shape.size() > 2)
      throw Error({.what = fmt::format("the data set /{}/{} is no series", group_name, name),
                   .expected = "the shape [epoch] or [epoch, rank]",
                   .got = fmt::format("{} dimensions", shape.size())});
    all.push_back({.group = group_name,
                   .name = name,
                   .unit = hdf5::read_text_attribute(dataset, "unit"),
                   .description = hdf5::read_text_attribute(dataset, "description"),
                   .ranks = shape.size() == 2 ? shape[1] : 0,
                   .values = hdf5::read_doubles(dataset)});
  }
}

RunRecord read_contents(const hdf5::Handle& file) {
  RunRecord record;
  record.run_id = hdf5::read_text_attribute(file, "run_id");
  record.status = hdf5::read_text_attribute(file, "status");
  record.started = hdf5::read_text_attribute(file, "started");
  record.finished = hdf5::read_text_attribute(file, "finished");
  record.config = parse_json(hdf5::read_text(file, "config"));
  record.model = parse_json(hdf5::read_text(file, "model"));
  const hdf5::Handle provenance = hdf5::open_group(file, "provenance");
  for (const std::string& key : hdf5::member_names(provenance))
    record.provenance[key] = hdf5::read_value(provenance, key);
  for (const char* group : series_groups) read_series_group(file, group, record.series);
  read_segments(file, record.segments);
  return record;
}

[[noreturn]] void damaged(const std::string& name, const std::string& expected, const std::string& got) {
  throw DamagedFile(
      {.what = "the run file " + name + " is damaged",
       .expected = expected,
       .got = got,
       .hint = "it was cut short or changed after it was written; `runfile repair` saves what can be read"});
}

// What `read` returns. What it throws (HDF5, JSON, impossible sizes) becomes an Error about the file.
template <class Read>
auto read_or_damaged(const std::string& name, const Read& read) {
  try {
    return read();
  } catch (const std::exception& failure) {
    damaged(name, "", failure.what());
  }
}

}  // namespace

std::vector<std::byte> run_file_bytes(const RunRecord& record, std::string_view writer) {
  const hdf5::Handle file = hdf5::create_file_in_memory();
  hdf5::write_attribute(file, "checksum", std::string(checksum_note));
  if (!writer.empty()) hdf5::write_attribute(file, "writer", std::string(writer));
  hdf5::write_attribute(file, "schema_version", schema_version);
  hdf5::write_attribute(file, "creator", "Lockstep " + std::string(build_info::version));
  hdf5::write_attribute(file, "run_id", record.run_id);
  hdf5::write_attribute(file, "status", record.status);
  hdf5::write_attribute(file, "started", record.started);
  hdf5::write_attribute(file, "finished", record.finished);
  hdf5::write_text(file, "config", hdf5::json_text(record.config));
  hdf5::write_text(file, "model", hdf5::json_text(record.model));
  hdf5::write_group(file, "provenance", record.provenance);
  write_series_groups(file, record.series);
  write_segments(file, record.segments);
  hdf5::write_value(file, "epoch_checksums", Json(record.epoch_checksums()));
  std::vector<std::byte> bytes = hdf5::file_image(file);
  append_checksum(bytes);
  return bytes;
}

RunRecord read_run_file_bytes(std::span<const std::byte> bytes, const std::string& name) {
  if (compare_checksum(bytes) == Checksum::wrong)
    damaged(name, "contents with the SHA-256 at its end", "other contents");
  const hdf5::Handle file = read_or_damaged(name, [&] { return hdf5::open_image(bytes); });
  if (hdf5::read_version(file, name, "schema_version", schema_version) == 0)
    throw Error({.what = name + " is an HDF5 file, but no run file",
                 .expected = "the attribute schema_version, which every run file has"});
  return read_or_damaged(name, [&] { return read_contents(file); });
}

void write_run_file(const RunRecord& record, const fs::path& path, Durability durability) {
  create_folders_for(path);
  replace_file(path, run_file_bytes(record), durability);
}

RunRecord read_run_file(const fs::path& path) {
  return read_run_file_bytes(read_hdf5_bytes(path), path.string());
}

// A quick one may be written after every epoch, however short epochs are.
bool snapshot_due(std::uintmax_t file_bytes, double since_last_s, double last_cost_s) {
  constexpr std::uintmax_t small_bytes = 4 << 20;
  constexpr double quick_s = 0.05;
  constexpr double most_share = 1.0 / 20.0;
  return (file_bytes <= small_bytes && last_cost_s <= quick_s) || last_cost_s <= most_share * since_last_s;
}

RunFileWriter::RunFileWriter(fs::path path) : path_(std::move(path)), writer_(make_writer()) {
  create_folders_for(path_);
  check_writable(path_);
}

bool RunFileWriter::snapshot(const RunRecord& record) {
  if (!snapshot_due(file_bytes_, now_s() - last_end_s_, last_cost_s_)) return false;
  write(record, Durability::survives_kill);
  return true;
}

void RunFileWriter::save(const RunRecord& record) { write(record, Durability::survives_power_loss); }

void RunFileWriter::write(const RunRecord& record, Durability durability) {
  const double start_s = now_s();
  check_still_ours(record);
  const std::vector<std::byte> bytes = run_file_bytes(record, writer_);
  create_folders_for(path_);
  replace_file(path_, bytes, durability);
  written_ = file_identity(path_);
  file_bytes_ = bytes.size();
  last_end_s_ = now_s();
  last_cost_s_ = last_end_s_ - start_s;
}

// The identity is quickly seen to be the same. If it is not, the contents decide: anyone may touch a file. A
// file that was removed is written again. So is one that cannot be read, because no process of ours leaves
// such a file; and that of an older attempt at the run, which may have checked before this one began, and
// written after that. So of two attempts the older one always ends.
void RunFileWriter::check_still_ours(const RunRecord& record) const {
  const std::string there = file_identity(path_);
  if (written_.empty() || there.empty() || there == written_) return;
  try {
    const std::vector<std::byte> bytes = read_bytes(path_);
    if (contains(bytes, writer_)) return;
    if (read_run_file_bytes(bytes, path_.string()).segments.size() < record.segments.size()) return;
  } catch (const Error&) {
    return;
  }
  throw TakenOver("another process has continued this run, and has written " + path_.string() +
                  " since; this one ends, and has changed nothing");
}

void RunFileWriter::finish(RunRecord& record, std::string_view status) {
  constexpr std::array<std::string_view, 3> final_states = {"complete", "interrupted", "failed"};
  if (std::ranges::find(final_states, status) == final_states.end())
    throw Error({.what = "a run cannot end with this status",
                 .expected = "complete, interrupted or failed",
                 .got = std::string(status)});
  record.status = status;
  record.finished = utc_now();
  if (!record.segments.empty()) {
    record.segments.back().status = status;
    record.segments.back().finished = record.finished;
  }
  write(record, Durability::survives_power_loss);
}

}  // namespace lockstep::record
