// SPDX-License-Identifier: BSD-3-Clause
// Reading a run file for its state, and a log for its last words.
#include "sweep/run_state.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <deque>
#include <fstream>
#include <iterator>
#include <set>

#include <fmt/format.h>

#include "core/error.hpp"
#include "core/json.hpp"
#include "record/run_file.hpp"
#include "sweep/spec/until.hpp"

namespace lockstep::sweep {
namespace {

namespace fs = std::filesystem;

const record::Series* series(const record::RunRecord& run, std::string_view name) {
  const auto found = std::ranges::find_if(
      run.series, [&](const record::Series& s) { return s.group == "epochs" && s.name == name; });
  return found == run.series.end() || found->values.empty() ? nullptr : &*found;
}

// The first setting that the run was not made with; "" when all agree.
std::string different_key(const record::RunRecord& run, const Point& point) {
  for (const auto& [key, value] : point.settings.items())
    if (!run.config.contains(key) || (run.config.at(key) != value && !run.config.at(key).is_object()))
      return key;
  const Json ranks = run.provenance.value("ranks", Json());
  return ranks.is_number() && ranks != Json(point.ranks) ? "ranks" : "";
}

RunState state_named(const std::string& name) {
  if (name == "complete") return RunState::complete;
  if (name == "interrupted") return RunState::interrupted;
  return name == "failed" ? RunState::failed : RunState::started;
}

}  // namespace

RunStatus status_of(const SweepFolder& folder, const Point& point) {
  RunStatus status;
  const fs::path path = folder.run_file(point.run_id);
  if (!fs::exists(path)) return status;
  try {
    const record::RunRecord run = record::read_run_file(path);
    status.state = state_named(run.status);
    status.epochs = run.config.value("epochs", std::size_t{0});
    if (const std::string key = different_key(run, point); !key.empty()) {
      status.state = RunState::foreign;
      status.why = "made with another " + key;
    }
    if (const auto* clock = series(run, "epoch_s")) {
      status.epochs_done = clock->values.size();
      status.epoch_s = median(clock->values);
    }
    if (const auto* tested = series(run, "test_accuracy")) status.accuracy = tested->values.back();
    if (const auto* wall = series(run, "wall_clock_s"))
      status.left_s = wall->values.back() / static_cast<double>(status.epochs_done) *
                      static_cast<double>(status.epochs - std::min(status.epochs, status.epochs_done));
  } catch (const Error& error) {
    status.state = RunState::foreign;
    const std::string what = error.what();
    status.why = what.substr(0, what.find('\n'));
  }
  return status;
}

std::vector<Point> due_repeats(const Spec& spec, const std::vector<Point>& points,
                               const SweepFolder& folder) {
  if (spec.until.metric.empty()) return {};
  std::set<std::string> open;
  for (const Point& point : points)
    if (status_of(folder, point).state != RunState::complete) open.insert(repeat_group(point));
  std::vector<Point> settled;
  std::ranges::copy_if(points, std::back_inserter(settled),
                       [&](const Point& point) { return !open.contains(repeat_group(point)); });
  return more_repeats(spec, settled, folder.root());
}

std::string reason_in(const fs::path& log) {
  // The most telling first; launchers say at length that something has failed, and in one line what.
  constexpr std::array<std::string_view, 8> telling = {
      "noticed that process rank", "srun: error:",       "error:", "DUE TO TIME LIMIT", "CANCELLED AT",
      "slurmstepd: error",         "lost communication", "Killed"};
  constexpr std::size_t tail = 200;
  std::deque<std::string> lines;
  std::ifstream file(log);
  for (std::string line; std::getline(file, line);) {
    if (line.starts_with(attempt_mark)) lines.clear();
    lines.push_back(line);
    if (lines.size() > tail) lines.pop_front();
  }
  for (const std::string_view words : telling)
    for (const std::string& line : lines)
      if (!line.starts_with(attempt_mark) && line.find(words) != std::string::npos)
        return line.substr(line.find_first_not_of(' '));
  return "";
}

}  // namespace lockstep::sweep
