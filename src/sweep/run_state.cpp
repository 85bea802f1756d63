// SPDX-License-Identifier: BSD-3-Clause
// Reading a run file for its state, and a log for the reason of a failure.
#include "sweep/run_state.hpp"

#include <algorithm>
#include <array>
#include <chrono>
#include <cmath>
#include <ctime>
#include <deque>
#include <fstream>

#include <fmt/format.h>
#include <sys/stat.h>

#include "core/error.hpp"
#include "core/json.hpp"
#include "core/text.hpp"
#include "record/checkpoint.hpp"
#include "record/progress.hpp"
#include "record/run_file.hpp"
#include "sweep/spec/until.hpp"

namespace lockstep::sweep {
namespace {

namespace fs = std::filesystem;

// That the run was simulated on; "": it is real.
std::string cluster_of(const record::RunRecord& run) {
  if (!run.provenance.contains("simulation")) return "";
  const Json& simulation = run.provenance.at("simulation");
  const Json cluster = simulation.is_object() ? simulation.value("cluster", Json()) : Json();
  return cluster.is_string() ? cluster.get<std::string>() : "?";
}

// The first setting that the run was not made with; "" when all agree.
std::string different_key(const record::RunRecord& run, const Point& point) {
  for (const auto& [key, value] : point.settings.items())
    if (!run.config.contains(key) || (run.config.at(key) != value && !run.config.at(key).is_object()))
      return key;
  if (cluster_of(run) != point.cluster) return "cluster";
  const Json ranks = run.provenance.value("ranks", Json());
  return ranks.is_number() && ranks != Json(point.ranks) ? "ranks" : "";
}

RunState state_named(const std::string& name) {
  if (name == "complete") return RunState::complete;
  if (name == "interrupted") return RunState::interrupted;
  return name == "failed" ? RunState::failed : RunState::broken;
}

// A date as run files have it, in seconds since 1970.
std::optional<double> seconds_of(const std::string& date) {
  std::tm parts{};
  if (strptime(date.c_str(), "%Y-%m-%dT%H:%M:%SZ", &parts) == nullptr) return {};
  return static_cast<double>(timegm(&parts));
}

// Seconds that an epoch took, in the mean. A simulated run's clock is the cluster's: of its latest process
// the beginning counts, and the end or when it wrote last.
std::optional<double> epoch_wall_s_of(const record::RunRecord& run, const fs::path& path) {
  if (cluster_of(run).empty()) {
    const auto wall_s = metric_of(run, "wall_clock_s");
    return wall_s ? std::optional(*wall_s / static_cast<double>(run.epochs())) : std::nullopt;
  }
  if (run.segments.empty() || run.epochs() <= run.segments.back().first_epoch) return {};
  const record::Segment& last = run.segments.back();
  const auto begin_s = seconds_of(last.started);
  auto end_s = seconds_of(last.finished);
  struct stat file {};
  if (!end_s && stat(path.c_str(), &file) == 0) end_s = static_cast<double>(file.st_mtim.tv_sec);
  if (!begin_s || !end_s) return {};
  return (*end_s - *begin_s) / static_cast<double>(run.epochs() - last.first_epoch);
}

// Seconds since anything was written for the run.
double silent_s(const SweepFolder& folder, const std::string& run_id) {
  const fs::path run_file = folder.run_file(run_id);
  fs::file_time_type last = fs::file_time_type::min();
  for (const fs::path& path : {run_file, record::checkpoint_path(run_file), folder.log(run_id)}) {
    std::error_code none;
    if (const auto written = fs::last_write_time(path, none); !none) last = std::max(last, written);
  }
  return std::chrono::duration<double>(fs::file_time_type::clock::now() - last).count();
}

}  // namespace

std::optional<double> dated_s(const record::RunRecord& run) {
  double sum_s = 0.0;
  for (const record::Segment& segment : run.segments) {
    const auto begin_s = seconds_of(segment.started), end_s = seconds_of(segment.finished);
    if (!begin_s || !end_s) return {};
    sum_s += *end_s - *begin_s;
  }
  return run.segments.empty() ? std::nullopt : std::optional(sum_s);
}

std::string remaining_text(const RunStatus& status) {
  constexpr double patience_s = 60.0, patience_epochs = 3.0;
  if (std::isnan(status.epoch_wall_s))  // its first epoch may be long
    return status.silent_s > patience_s
               ? fmt::format("  no epoch yet, nothing written for {}", record::clock_text(status.silent_s))
               : "";
  if (status.silent_s > std::max(patience_s, patience_epochs * status.epoch_wall_s))
    return "  no sign of life for " + record::clock_text(status.silent_s);
  return "  left " + record::clock_text(status.left_s);
}

RunStatus status_of(const SweepFolder& folder, const Point& point) {
  RunStatus status;
  const fs::path path = folder.run_file(point.run_id);
  if (!fs::exists(path)) return status;
  try {
    const record::RunRecord run = record::read_run_file(path);
    status.state = state_named(run.status);
    if (status.state == RunState::complete) record::remove_checkpoints(path);  // a kill may have left them
    status.epochs = run.config.value("epochs", std::size_t{0});
    if (const std::string key = different_key(run, point); !key.empty()) {
      status.state = RunState::failed;
      status.is_foreign = true;
      status.why = "made with another " + key;
    }
    status.epochs_done = run.epochs();
    status.accuracy = metric_of(run, "test_accuracy").value_or(status.accuracy);
    status.epoch_s = metric_of(run, "epoch_s").value_or(status.epoch_s);
    if (const auto wall_s = epoch_wall_s_of(run, path)) {
      status.epoch_wall_s = *wall_s;
      status.left_s = status.epoch_wall_s *
                      static_cast<double>(status.epochs - std::min(status.epochs, status.epochs_done));
    }
    if (status.state == RunState::broken) status.silent_s = silent_s(folder, point.run_id);
  } catch (const Error& error) {
    status.state = RunState::failed;
    status.is_damaged = true;
    const std::string what = error.what();
    status.why = "its run file is damaged, and made again by resume: " + what.substr(0, what.find('\n'));
  }
  return status;
}

fs::path set_aside(const SweepFolder& folder, const std::string& run_id) {
  const fs::path run_file = folder.run_file(run_id);
  const auto kept = [](const fs::path& path, int number) {
    return fs::path(fmt::format("{}.damaged-{}", path.string(), number));
  };
  int number = 1;
  while (fs::exists(kept(run_file, number))) ++number;
  for (const fs::path& path :
       {record::checkpoint_path(run_file), record::previous_checkpoint_path(run_file), run_file}) {
    std::error_code failure;
    if (fs::exists(path)) fs::rename(path, kept(path, number), failure);
    if (failure) throw Error({.what = "cannot set " + path.string() + " aside", .got = failure.message()});
  }
  return kept(run_file, number);
}

std::vector<Point> due_repeats(const Spec& spec, const std::vector<Point>& points,
                               const SweepFolder& folder) {
  if (spec.until.metric.empty()) return {};
  const auto is_complete = [&](const Point& point) {
    return status_of(folder, point).state == RunState::complete;
  };
  std::vector<Point> settled;
  for (const std::vector<Point>& repeats : group_repeats(points))
    if (std::ranges::all_of(repeats, is_complete))
      settled.insert(settled.end(), repeats.begin(), repeats.end());
  return more_repeats(spec, settled, folder.root());
}

bool has_ended(const fs::path& log) {
  std::ifstream file(log);
  std::string last;
  for (std::string line; std::getline(file, line);) last = line;
  return last.starts_with(end_mark);
}

std::string reason_in(const fs::path& log) {
  // The most informative first: launchers say at length that something failed, and in one line what.
  constexpr std::array<std::string_view, 11> marks = {"error: no rank has made progress",
                                                      "Deadlock detected",
                                                      "noticed that process rank",
                                                      "fatal:",
                                                      "srun: error:",
                                                      "error:",
                                                      "DUE TO TIME LIMIT",
                                                      "CANCELLED AT",
                                                      "slurmstepd: error",
                                                      "lost communication",
                                                      "Killed"};
  constexpr std::string_view stalled = marks[0];  // the next line names the rank
  constexpr std::size_t tail = 200;
  std::deque<std::string> lines;
  std::ifstream file(log);
  for (std::string line; std::getline(file, line);) {
    if (line.starts_with(attempt_mark)) lines.clear();
    lines.push_back(line);
    if (lines.size() > tail) lines.pop_front();
  }
  for (const std::string_view words : marks)
    for (std::size_t i = 0; i < lines.size(); ++i) {
      if (lines[i].starts_with(attempt_mark) || lines[i].find(words) == std::string::npos) continue;
      const std::string more = words == stalled && i + 1 < lines.size() ? ": " + trimmed(lines[i + 1]) : "";
      return trimmed(lines[i]) + more;
    }
  return "";
}

}  // namespace lockstep::sweep
