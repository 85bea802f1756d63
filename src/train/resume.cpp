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
#include "core/names.hpp"
#include "core/sha256.hpp"
#include "record/checkpoint.hpp"
#include "record/run_file.hpp"

namespace lockstep::train {
namespace {

namespace fs = std::filesystem;

bool is_there(const fs::path& path) {
  std::error_code unseen;
  return fs::exists(path, unseen);
}

std::string text_of(const Json& object, const std::string& key) {
  return object.contains(key) ? object.at(key).dump() : "nothing";
}

// An option that is newer than the run file was then what it is by default now.
Json value_then(const record::RunRecord& record, const std::string& key, const Json& defaults) {
  if (record.config.contains(key)) return record.config.at(key);
  return defaults.contains(key) ? defaults.at(key) : Json("nothing");
}

void check_same_run(const record::RunRecord& record, const Json& values, std::size_t ranks,
                    const fs::path& path) {
  const Json defaults = resolve_config({{"algorithm", values.at("algorithm")}}).values;
  std::vector<std::string> before;
  std::vector<std::string> now;
  const auto compare = [&](const std::string& key, const std::string& old_text, const std::string& new_text) {
    if (old_text == new_text) return;
    before.push_back(key + " " + old_text);
    now.push_back(key + " " + new_text);
  };
  for (const auto& [key, value] : record.config.items()) compare(key, value.dump(), text_of(values, key));
  for (const auto& [key, value] : values.items())
    if (!record.config.contains(key)) compare(key, value_then(record, key, defaults).dump(), value.dump());
  compare("ranks", text_of(record.provenance, "ranks"), std::to_string(ranks));
  if (!before.empty())
    throw ConfigError({"the run " + path.string() + " is another one than this: it cannot go on",
                       join(before), join(now), "give what it was started with, or another --run-id"});
}

// Throws Error unless the checkpoint is one of this run, at a place that the run file reaches.
void check_belongs(const record::CheckpointReader& checkpoint, const record::RunRecord& record,
                   std::size_t ranks) {
  const std::string path = checkpoint.path().string();
  const Json& about = checkpoint.about();
  const auto compare = [&](const std::string& key, const Json& expected) {
    if (about.at(key) != expected)
      throw Error({.what = path + " belongs to something else",
                   .expected = key + " " + expected.dump(),
                   .got = about.at(key).dump()});
  };
  compare("run_id", record.run_id);
  compare("run_started", record.started);
  compare("config_sha256", config_sha256(record.config));
  compare("ranks", ranks);
  if (about.at("epochs_done").get<std::size_t>() > record.epochs())
    throw Error({.what = path + " is of a later time than the run file",
                 .expected = fmt::format("at most the {} epochs that are recorded", record.epochs()),
                 .got = about.at("epochs_done").dump()});
}

std::array<fs::path, 2> checkpoints_of(const fs::path& run_file) {
  return {record::checkpoint_path(run_file), record::previous_checkpoint_path(run_file)};
}

double train_clock_s(record::RunRecord& record) {
  return record.epochs() == 0 ? 0.0 : record.find("epochs", "train_clock_s").values.back();
}

// A run that is thought dead may live still, and write: the run file first, and then a checkpoint of what
// that tells of. So the run file is read after the checkpoint. None: nullptr.
std::shared_ptr<const record::CheckpointReader> newest_usable(const fs::path& run_file, std::size_t ranks) {
  for (const fs::path& one : checkpoints_of(run_file)) {
    if (!is_there(one)) continue;
    try {
      auto checkpoint = std::make_shared<const record::CheckpointReader>(one);
      check_belongs(*checkpoint, record::read_run_file(run_file), ranks);
      return checkpoint;
    } catch (const std::exception& failure) {
      fmt::print(stderr, "warning: a checkpoint cannot be used: {}\n", failure.what());
    }
  }
  return nullptr;
}

ResumePoint resume_point_at(std::shared_ptr<const record::CheckpointReader> checkpoint,
                            record::RunRecord record) {
  if (record.status == "complete") return {.complete = true, .reopens = true};
  ResumePoint resume_point{.reopens = true, .lost_s = train_clock_s(record)};
  if (!checkpoint) return resume_point;
  resume_point.about = checkpoint->about();
  resume_point.checkpoint = checkpoint->path().string();
  resume_point.epochs_done = resume_point.about.at("epochs_done").get<std::size_t>();
  resume_point.epoch_steps = resume_point.about.at("epoch_steps").get<std::size_t>();
  resume_point.lost_s =
      std::max(0.0, resume_point.lost_s - resume_point.about.at("train_clock_s").get<double>());
  resume_point.reader = std::move(checkpoint);
  return resume_point;
}

}  // namespace

fs::path run_file_path(const RunSettings& settings, const RunConfig& config, const std::string& run_id) {
  return fs::path(settings.launch.results) / config.experiment / (run_id + ".h5");
}

std::string config_sha256(const Json& values) {
  const std::string sorted = nlohmann::json(values).dump();
  return sha256(std::as_bytes(std::span(sorted)));
}

ResumePoint find_resume_point(const ResolvedConfig& config, const RunSettings& settings, std::size_t ranks) {
  if (settings.launch.run_id.empty()) {
    if (settings.launch.resume)
      throw ConfigError({"--resume needs the name of the run", "--run-id NAME", "no --run-id"});
    return {};
  }
  const fs::path path = run_file_path(settings, config.run, settings.launch.run_id);
  if (!is_there(path)) {
    for (const fs::path& checkpoint : checkpoints_of(path))
      if (is_there(checkpoint))
        throw ConfigError({"there is a checkpoint " + checkpoint.string() + " without its run file",
                           path.string(), "no such file",
                           "put the run file back, or remove the checkpoint, or take another --run-id"});
    return {};
  }
  if (!settings.launch.resume)
    throw ConfigError(
        {"there is a run of this name already", "a new --run-id", path.string(), "--resume goes on with it"});

  const record::RunRecord record = record::read_run_file(path);
  check_same_run(record, config.values, ranks, path);
  if (record.status == "complete") return {.complete = true, .reopens = true};
  return resume_point_at(newest_usable(path, ranks), record::read_run_file(path));
}

std::string other_data(const fs::path& run_file, const std::string& dataset_sha256) {
  const Json before = record::read_run_file(run_file).provenance.value("dataset_sha256", Json());
  if (!before.is_string() || before == dataset_sha256) return "";
  return ConfigError(
             {"the data are others than those that the run " + run_file.string() + " was begun with",
              "data whose SHA-256 is " + before.get<std::string>(), dataset_sha256,
              "put them back, or start the run anew under another --run-id; synthetic data may differ "
              "between versions"})
      .what();
}

record::RunRecord reopen_record(const fs::path& run_file, const ResumePoint& resume_point) {
  record::RunRecord record = record::read_run_file(run_file);
  if (record.segments.empty())  // a run file from before there were segments
    record.segments.push_back(
        {.started = record.started, .finished = record.finished, .status = record.status});
  record::Segment& last = record.segments.back();
  if (last.status == "running") last.status = "killed";
  last.lost_s += resume_point.lost_s;
  record.status = "running";
  record.finished.clear();
  record.truncate(resume_point.epochs_done);
  if (resume_point.epochs_done == 0) record.series.clear();
  return record;
}

}  // namespace lockstep::train
