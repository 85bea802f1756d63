// SPDX-License-Identifier: BSD-3-Clause
// Compares a run file and its checkpoints with what is to be run.
#include "train/resume.hpp"

#include <algorithm>
#include <array>
#include <memory>
#include <system_error>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "core/error.hpp"
#include "core/json.hpp"
#include "core/json_text.hpp"
#include "core/names.hpp"
#include "core/platform.hpp"
#include "core/sha256.hpp"
#include "record/checkpoint.hpp"
#include "record/run_file.hpp"
#include "train/epoch_step_times.hpp"

namespace lockstep::train {
namespace {

namespace fs = std::filesystem;

bool is_there(const fs::path& path) {
  std::error_code unseen;
  return fs::exists(path, unseen);
}

std::string text_of(const Json& object, const std::string& key) {
  return object.contains(key) ? to_text(object.at(key)) : "nothing";
}

// Objects come back from a run file in the order of their keys.
std::string sorted_text_of(const Json& object, const std::string& key) {
  if (!object.contains(key)) return "nothing";
  return nlohmann::json(object.at(key)).dump(-1, ' ', false, Json::error_handler_t::replace);
}

void check_same_run(const record::RunRecord& record, const Json& values, std::size_t ranks,
                    const fs::path& path) {
  std::vector<std::string> before, now;
  const auto compare = [&](const std::string& key, const std::string& old_text, const std::string& new_text) {
    if (old_text == new_text) return;
    before.push_back(key + " " + old_text);
    now.push_back(key + " " + new_text);
  };
  for (const auto& [key, value] : record.config.items()) compare(key, to_text(value), text_of(values, key));
  // An option that is newer than the run file then had the value that is its default now.
  const Json defaults = resolve_config({{"algorithm", values.at("algorithm")}}).values;
  for (const auto& [key, value] : values.items())
    if (!record.config.contains(key)) compare(key, text_of(defaults, key), to_text(value));
  compare("ranks", text_of(record.provenance, "ranks"), std::to_string(ranks));
  const Json here =
      *platform().simulation == '\0' ? Json{} : Json{{"simulation", parse_json(platform().simulation)}};
  compare("simulation", sorted_text_of(record.provenance, "simulation"), sorted_text_of(here, "simulation"));
  if (!before.empty())
    throw ConfigError({"the run " + path.string() + " has other settings: it cannot be resumed with these",
                       join(before), join(now), "give what it was started with, or another --run-id"});
}

// Throws Error unless the checkpoint is one of this run, at a place that the record reaches.
void check_belongs(const record::CheckpointReader& checkpoint, const record::RunRecord& record,
                   std::size_t ranks, bool may_be_newer = false) {
  const std::string path = checkpoint.path().string();
  const Json& about = checkpoint.contents().about;
  const auto compare = [&](const std::string& key, const Json& expected) {
    if (about.at(key) != expected)
      throw Error({.what = path + " belongs to another run",
                   .expected = key + " " + to_text(expected),
                   .got = to_text(about.at(key))});
  };
  compare("run_id", record.run_id);
  compare("run_started", record.started);
  compare("config_sha256", config_sha256(record.config));
  compare("ranks", ranks);
  (void)about.at("train_clock_s")
      .get<double>();  // the run begins with these, and nlohmann_json throws without
  (void)count_of(about.at("epoch_steps"));
  EpochStepTimes::check(about);
  if (!may_be_newer && count_of(about.at("epochs_done")) > record.epochs())
    throw Error({.what = path + " is newer than the run file",
                 .expected = fmt::format("at most the {} epochs that the run file has", record.epochs()),
                 .got = to_text(about.at("epochs_done"))});
}

std::array<fs::path, 2> checkpoints_of(const fs::path& run_file) {
  return {record::checkpoint_path(run_file), record::previous_checkpoint_path(run_file)};
}

// The run file's record, or nullptr if the file is damaged; then `why` says how.
std::shared_ptr<const record::RunRecord> undamaged(const fs::path& run_file, std::string& why) {
  try {
    return std::make_shared<const record::RunRecord>(record::read_run_file(run_file));
  } catch (const record::DamagedFile& failure) {
    why = failure.what();
    return nullptr;
  }
}

// The record in a checkpoint, or nullptr: those of older versions have none.
std::shared_ptr<const record::RunRecord> copy_in(const record::CheckpointReader& checkpoint) {
  const auto& bytes = checkpoint.contents().run_file;
  if (bytes.empty()) return nullptr;
  const std::string name = "the copy of the run file in " + checkpoint.path().string();
  return std::make_shared<const record::RunRecord>(record::read_run_file_bytes(bytes, name));
}

// Chooses the newest usable checkpoint, and the record that goes with it. A process that is thought dead may
// still write: first the run file, then a checkpoint of what that file has. So the run file is read after the
// checkpoint. After a power cut it may be older than the checkpoint.
void choose_checkpoint(const fs::path& run_file, std::size_t ranks, ResumePoint& from) {
  for (const fs::path& one : checkpoints_of(run_file)) {
    if (!is_there(one)) continue;
    try {
      auto checkpoint = std::make_shared<const record::CheckpointReader>(one);
      std::string why;
      const auto record = undamaged(run_file, why);
      const auto epochs = count_of(checkpoint->contents().about.at("epochs_done"));
      const bool reaches = record && record->epochs() >= epochs;
      const auto copy = reaches ? nullptr : copy_in(*checkpoint);
      if (!record && !copy) throw Error({.what = one.string() + " has no copy of the run file", .got = why});
      if (copy) check_belongs(*checkpoint, *copy, ranks);
      if (record) check_belongs(*checkpoint, *record, ranks, /*may_be_newer=*/copy != nullptr);
      from.record = copy;
      from.reader = std::move(checkpoint);
      return;
    } catch (const std::exception& failure) {
      fmt::print(stderr, "warning: a checkpoint cannot be used: {}\n", failure.what());
    }
  }
}

record::RunRecord record_of(const fs::path& run_file, const ResumePoint& resume_point) {
  return resume_point.record ? *resume_point.record : record::read_run_file(run_file);
}

bool has_no_bytes(const fs::path& path) {
  std::error_code unseen;
  return fs::file_size(path, unseen) == 0;
}

void remove_left_overs(const fs::path& run_file) {
  record::remove_checkpoints(run_file);
  for (const auto& written : {run_file, record::checkpoint_path(run_file)})
    record::remove_partial_files(written);
}

}  // namespace

fs::path run_file_path(const LaunchOptions& launch, const RunConfig& config, const std::string& run_id) {
  return fs::path(launch.results) / config.experiment / (run_id + ".h5");
}

std::string config_sha256(const Json& values) {
  const std::string sorted = nlohmann::json(values).dump(-1, ' ', false, Json::error_handler_t::replace);
  return sha256(std::as_bytes(std::span(sorted)));
}

ResumePoint find_resume_point(const ResolvedConfig& config, const LaunchOptions& launch, std::size_t ranks) {
  if (launch.run_id.empty()) {
    if (launch.resume)
      throw ConfigError({"--resume needs the name of the run", "--run-id NAME", "no --run-id"});
    return {};
  }
  const fs::path path = run_file_path(launch, config.run, launch.run_id);
  if (!is_there(path)) {
    for (const fs::path& checkpoint : checkpoints_of(path))
      if (is_there(checkpoint))
        throw ConfigError({"there is a checkpoint " + checkpoint.string() + " without its run file",
                           path.string(), "no such file",
                           "put the run file back, or remove the checkpoint, or take another --run-id"});
    return {};
  }
  if (!launch.resume)
    throw ConfigError(
        {"there is already a run of this name", "a new --run-id", path.string(), "--resume continues it"});

  std::string why;
  auto record = undamaged(path, why);
  if (record) {
    check_same_run(*record, config.values, ranks, path);
    if (record->status == "complete") {
      remove_left_overs(path);
      return {.complete = true};
    }
  }
  ResumePoint from{.reopens = true};
  choose_checkpoint(path, ranks, from);
  if (!record && !from.record) {
    if (!has_no_bytes(path))
      throw ConfigError({why, "", "",
                         "no checkpoint beside it has a copy: remove the file to start the run anew, or take "
                         "another --run-id"});
    fmt::print(stderr,
               "warning: the run file {} is empty, and no checkpoint can be used: the run starts anew\n",
               path.string());
    return {};
  }
  if (from.record) {
    fmt::print(stderr, "warning: {}: the run resumes with the copy in {}\n",
               record ? path.string() + " is older than the checkpoint" : why, from.reader->path().string());
    record = from.record;
    check_same_run(*record, config.values, ranks, path);
  } else {
    record = std::make_shared<const record::RunRecord>(record::read_run_file(path));
  }
  from.complete = record->status == "complete";
  from.lost_s = record->train_clock_s();
  if (!from.reader) return from;
  from.about = from.reader->contents().about;
  from.checkpoint = from.reader->path().string();
  from.lost_s = std::max(0.0, from.lost_s - from.about.at("train_clock_s").get<double>());
  return from;
}

void check_same_data(const fs::path& run_file, const ResumePoint& resume_point,
                     const std::string& dataset_sha256) {
  const Json before = record_of(run_file, resume_point).provenance.value("dataset_sha256", Json());
  if (before.is_string() && before != dataset_sha256)
    throw ConfigError(
        {"the data are not those with which the run " + run_file.string() + " was begun",
         "data whose SHA-256 is " + before.get<std::string>(), dataset_sha256,
         "put them back, or start the run anew under another --run-id; synthetic data may differ "
         "between versions"});
}

record::RunRecord reopen_record(const fs::path& run_file, const ResumePoint& resume_point) {
  record::RunRecord record = record_of(run_file, resume_point);
  if (record.segments.empty())  // a run file from before there were segments
    record.segments.push_back(
        {.started = record.started, .finished = record.finished, .status = record.status});
  record::Segment& last = record.segments.back();
  if (last.status == "running") last.status = "killed";
  last.lost_s += resume_point.lost_s;
  record.status = "running";
  record.finished.clear();
  record.truncate(resume_point.epochs_done());
  if (resume_point.epochs_done() == 0) record.series.clear();
  return record;
}

}  // namespace lockstep::train
