// SPDX-License-Identifier: BSD-3-Clause
// The state of a point's run, by its run file and its log.
#pragma once

#include <array>
#include <cstddef>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "record/run_record.hpp"
#include "sweep/folder.hpp"
#include "sweep/spec/spec.hpp"

namespace lockstep::sweep {

/// waiting: in Slurm's queue, or its job makes other runs first. broken: its file says that it runs, but no
/// job runs it. missing: it has no run file, and no job will make it.
enum class RunState { complete, running, waiting, interrupted, failed, broken, missing };
inline constexpr std::array<std::string_view, 7> state_names = {
    "complete", "running", "waiting", "interrupted", "failed", "broken", "missing"};

struct RunStatus {
  RunState state = RunState::missing;
  bool is_foreign = false;  ///< made with other settings; it counts as failed
  bool is_damaged = false;  ///< the file cannot be read; it counts as failed, and is made again
  std::size_t epochs_done = 0;
  std::size_t epochs = 0;
  double accuracy = std::numeric_limits<double>::quiet_NaN();      ///< of the last epoch, 0 to 1
  double epoch_s = std::numeric_limits<double>::quiet_NaN();       ///< training clock, median over epochs
  double epoch_wall_s = std::numeric_limits<double>::quiet_NaN();  ///< wall clock here, mean over epochs
  double left_s = std::numeric_limits<double>::quiet_NaN();        ///< at the speed so far, all clocks
  double silent_s = std::numeric_limits<double>::quiet_NaN();  ///< since something was written, if unfinished
  std::string why;                                             ///< it waits or failed, one line
};

/// By the run file alone: a run that started is broken, not running, and none is waiting.
[[nodiscard]] RunStatus status_of(const SweepFolder& folder, const Point& point);

/// Seconds between the dates of a run's segments, together: of this machine, where the run's own clock may be
/// a simulated one. None without segments, and if one was killed, whose end nobody knows.
[[nodiscard]] std::optional<double> dated_s(const record::RunRecord& run);

/// Of a run that is running: "  left 1:23"; or "  no sign of life for 2:10" if it has written nothing for
/// much longer than an epoch took so far; "" if its speed is not known yet.
[[nodiscard]] std::string remaining_text(const RunStatus& status);

/// Gives the run's file, which is damaged, and its checkpoints names that nothing looks for, so that the run
/// can be made again; returns the file's new path. Throws Error.
std::filesystem::path set_aside(const SweepFolder& folder, const std::string& run_id);

/// With `until`: one more repeat for each point that needs it and whose repeats so far are all complete.
[[nodiscard]] std::vector<Point> due_repeats(const Spec& spec, const std::vector<Point>& points,
                                             const SweepFolder& folder);

/// Begins the line that heads each attempt in a run's log.
inline constexpr std::string_view attempt_mark = "== ";
/// Begins the line that an attempt on this machine ends with, unless the sweep is killed.
inline constexpr std::string_view end_mark = "-- ";

/// True if the last attempt in a run's log has ended.
[[nodiscard]] bool has_ended(const std::filesystem::path& log);

/// The line of a log's last attempt that says best why it failed; "" if none does.
[[nodiscard]] std::string reason_in(const std::filesystem::path& log);

}  // namespace lockstep::sweep
