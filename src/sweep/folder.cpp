// SPDX-License-Identifier: BSD-3-Clause
// Keeping and finding what a sweep is.
#include "sweep/folder.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iterator>
#include <set>

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <unistd.h>

#include "core/error.hpp"
#include "core/json.hpp"
#include "core/names.hpp"
#include "record/atomic_file.hpp"
#include "sweep/site.hpp"
#include "sweep/spec/json_text.hpp"

namespace lockstep::sweep {
namespace {

namespace fs = std::filesystem;

Json to_json(const Point& point) {
  return {{"run_id", point.run_id}, {"ranks", point.ranks},       {"nodes", point.nodes},
          {"repeat", point.repeat}, {"settings", point.settings}, {"estimate_s", point.estimate_s}};
}

Point point_from(const Json& json) {
  Point point;
  point.run_id = json.at("run_id");
  point.ranks = json.at("ranks");
  point.nodes = json.at("nodes");
  point.repeat = json.at("repeat");
  point.settings = json.at("settings");
  point.estimate_s = json.at("estimate_s");
  return point;
}

std::vector<std::string> run_ids(const std::vector<Point>& points) {
  std::vector<std::string> ids;
  for (const Point& point : points) ids.push_back(point.run_id);
  return ids;
}

void join_points(const SweepFolder& folder, Manifest& manifest, bool extend) {
  const Manifest before = load_manifest(folder);
  const std::vector<std::string> ids = run_ids(manifest.points);
  const std::set<std::string> now(ids.begin(), ids.end());
  const auto gone =
      std::ranges::count_if(before.points, [&](const Point& p) { return !now.contains(p.run_id); });
  if (gone == 0) return;
  if (!extend)
    throw ConfigError({folder.root().string() + " holds another sweep of this name",
                       fmt::format("its {} runs among those of {}", before.points.size(), manifest.spec_file),
                       fmt::format("{} of them are not", gone),
                       "another \"name\" or --results; --extend keeps its runs and adds the new ones"});
  std::vector<Point> all = before.points;
  const std::vector<std::string> old_ids = run_ids(all);
  const std::set<std::string> old(old_ids.begin(), old_ids.end());
  std::ranges::copy_if(manifest.points, std::back_inserter(all),
                       [&](const Point& p) { return !old.contains(p.run_id); });
  manifest.points = std::move(all);
}

// The name of the results of jobs/experiments/STEM.json, or of its variant when `word` is STEM-VARIANT; ""
// when there is no such file. A file may be named otherwise than its results are.
std::string results_of_experiment(const std::string& word) {
  if (fs::path(word).filename() != word || !has_home()) return "";
  for (std::size_t end = word.size(); end != std::string::npos && end > 0; end = word.rfind('-', end - 1)) {
    const std::string stem = word.substr(0, end);
    std::ifstream file(home() / "jobs" / "experiments" / (stem + ".json"));
    if (!file) continue;
    const Json spec = parse_json({std::istreambuf_iterator<char>(file), {}});
    return spec.is_object() ? spec.value("name", stem) + word.substr(end) : "";
  }
  return "";
}

}  // namespace

SweepFolder find_folder(const std::string& word, const std::string& results) {
  const SweepFolder itself{fs::path(word).lexically_normal()};
  if (has_manifest(itself)) return itself;
  const SweepFolder named{fs::path(results) / word};
  if (has_manifest(named)) return named;
  if (const std::string name = results_of_experiment(word); !name.empty()) {
    const SweepFolder of_experiment{fs::path(results) / name};
    if (has_manifest(of_experiment)) return of_experiment;
  }
  std::vector<std::string> known;
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator(results, ignored))
    if (has_manifest(SweepFolder(entry.path()))) known.push_back(entry.path().filename());
  std::ranges::sort(known);
  throw ConfigError(
      {"there is no sweep " + word,
       "a folder that sweep run or submit has made, its name in " + results + ", or an experiment's",
       known.empty() ? "no sweep in " + results : "sweeps in " + results + ": " + join(known)});
}

bool has_manifest(const SweepFolder& folder) { return fs::exists(folder.manifest_file()); }

Manifest load_manifest(const SweepFolder& folder) {
  const Json json = read_json(folder.manifest_file());
  try {
    Manifest manifest{.name = json.at("name"),
                      .title = json.at("title"),
                      .scale = json.at("scale"),
                      .spec_file = json.at("spec_file"),
                      .spec = json.at("spec"),
                      .points = {}};
    for (const Json& point : json.at("points")) manifest.points.push_back(point_from(point));
    return manifest;
  } catch (const Json::exception& failure) {
    throw Error({.what = folder.manifest_file().string() + " is no sweep's manifest", .got = failure.what()});
  }
}

void save_manifest(const SweepFolder& folder, Manifest& manifest, bool extend) {
  if (has_manifest(folder)) join_points(folder, manifest, extend);
  std::error_code failure;
  for (const fs::path& path : {folder.state() / "log", folder.scripts()}) {
    fs::create_directories(path, failure);
    if (failure)
      throw ConfigError({"cannot make the folder " + path.string(), "a folder that this user may write",
                         failure.message(), "--results names another one"});
  }
  Json points = Json::array();
  for (const Point& point : manifest.points) points.push_back(to_json(point));
  const Json json = {{"name", manifest.name},   {"title", manifest.title},
                     {"scale", manifest.scale}, {"spec_file", manifest.spec_file},
                     {"spec", manifest.spec},   {"points", std::move(points)}};
  write_text(folder.manifest_file(), json.dump(1) + "\n");
}

Json read_json(const fs::path& path) {
  std::ifstream file(path);
  if (!file) throw Error({.what = "cannot read " + path.string()});
  try {
    return Json::parse(file);
  } catch (const Json::parse_error& failure) {
    throw Error({.what = path.string() + " is not JSON", .got = failure.what()});
  }
}

void write_text(const fs::path& path, const std::string& text) {
  record::replace_file(path, std::as_bytes(std::span(text)), record::Durability::survives_kill);
}

std::optional<pid_t> lock_holder(const SweepFolder& folder) {
  const int file = open(folder.lock_file().c_str(), O_RDONLY | O_CLOEXEC);
  if (file < 0) return {};
  std::optional<pid_t> holder;
  if (flock(file, LOCK_SH | LOCK_NB) != 0 && errno == EWOULDBLOCK) {
    std::array<char, 32> text{};
    holder = read(file, text.data(), text.size() - 1) > 0 ? static_cast<pid_t>(std::atol(text.data())) : 0;
  }
  close(file);
  return holder;
}

FolderLock::FolderLock(const SweepFolder& folder)
    : file_(open(folder.lock_file().c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0666)) {
  if (file_ < 0)
    throw Error({.what = "cannot open " + folder.lock_file().string(), .got = std::strerror(errno)});
  if (flock(file_, LOCK_EX | LOCK_NB) != 0) {
    const int failure = errno;
    close(file_);
    if (failure != EWOULDBLOCK)
      throw Error({.what = "cannot lock " + folder.lock_file().string(), .got = std::strerror(failure)});
    throw ConfigError(
        {folder.root().string() + " is being worked on", "one sweep program at a time on a folder",
         fmt::format("process {}", lock_holder(folder).value_or(0)), "sweep status shows how far it is"});
  }
  const std::string pid = fmt::format("{}\n", getpid());
  if (ftruncate(file_, 0) != 0 || write(file_, pid.data(), pid.size()) < 0)
    throw Error({.what = "cannot write " + folder.lock_file().string(), .got = std::strerror(errno)});
}

FolderLock::~FolderLock() { close(file_); }

}  // namespace lockstep::sweep
