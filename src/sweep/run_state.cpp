// SPDX-License-Identifier: BSD-3-Clause
// Reading a run file for its state, and a log for the reason of a failure.
#include "sweep/run_state.hpp"

#include <algorithm>
#include <array>
#include <deque>
#include <fstream>

#include "core/error.hpp"
#include "core/json.hpp"
#include "record/checkpoint.hpp"
#include "record/run_file.hpp"
#include "sweep/spec/until.hpp"

namespace lockstep::sweep {
namespace {

namespace fs = std::filesystem;

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
  return name == "failed" ? RunState::failed : RunState::broken;
}

}  // namespace

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
    if (const auto wall_s = metric_of(run, "wall_clock_s"))
      status.left_s = *wall_s / static_cast<double>(status.epochs_done) *
                      static_cast<double>(status.epochs - std::min(status.epochs, status.epochs_done));
  } catch (const Error& error) {
    status.state = RunState::failed;
    status.is_foreign = true;
    const std::string what = error.what();
    status.why = what.substr(0, what.find('\n'));
  }
  return status;
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

std::string reason_in(const fs::path& log) {
  // The most informative first: launchers say at length that something failed, and in one line what.
  constexpr std::array<std::string_view, 8> marks = {
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
  for (const std::string_view words : marks)
    for (const std::string& line : lines)
      if (!line.starts_with(attempt_mark) && line.find(words) != std::string::npos)
        return line.substr(line.find_first_not_of(' '));
  return "";
}

}  // namespace lockstep::sweep
