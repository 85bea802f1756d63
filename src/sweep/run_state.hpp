// SPDX-License-Identifier: BSD-3-Clause
// The state of a point's run, by its run file and its log.
#pragma once

#include <cstddef>
#include <limits>
#include <string>
#include <string_view>
#include <vector>

#include "sweep/folder.hpp"
#include "sweep/spec/spec.hpp"

namespace lockstep::sweep {

/// waiting: it has no run file. started: the run file says that it runs; only its job knows whether it does.
/// foreign: the run file was made with other settings, or cannot be read.
enum class RunState { waiting, started, complete, interrupted, failed, foreign };

struct RunStatus {
  RunState state = RunState::waiting;
  std::size_t epochs_done = 0;
  std::size_t epochs = 0;
  double accuracy = std::numeric_limits<double>::quiet_NaN();  ///< of the last epoch, 0 to 1
  double epoch_s = std::numeric_limits<double>::quiet_NaN();   ///< training clock, median over epochs
  double left_s = std::numeric_limits<double>::quiet_NaN();    ///< at the speed so far, all clocks
  std::string why;                                             ///< of a failure, one line
};

[[nodiscard]] RunStatus status_of(const SweepFolder& folder, const Point& point);

/// With `until`: one more repeat for each point that needs it and whose repeats so far are all complete.
[[nodiscard]] std::vector<Point> due_repeats(const Spec& spec, const std::vector<Point>& points,
                                             const SweepFolder& folder);

/// Begins the line that heads each attempt in a run's log.
inline constexpr std::string_view attempt_mark = "== ";

/// The line of a log's last attempt that says best why it failed; "" if none does.
[[nodiscard]] std::string reason_in(const std::filesystem::path& log);

}  // namespace lockstep::sweep
