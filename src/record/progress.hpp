// SPDX-License-Identifier: BSD-3-Clause
// Progress of a run for people: one line, redrawn on a terminal; in a batch log one line for each epoch.
#pragma once

#include <cstddef>
#include <cstdio>
#include <limits>
#include <string>
#include <string_view>

#include "core/clock.hpp"

namespace lockstep::record {

/// automatic: live on a terminal, plain elsewhere.
enum class ProgressStyle { automatic, live, plain, off };
/// auto, live, plain or off; throws ConfigError for any other name.
[[nodiscard]] ProgressStyle progress_style(std::string_view name);

/// True if lines on `out` can be redrawn: it is a terminal, and not a dumb one.
[[nodiscard]] bool is_terminal(std::FILE* out);

/// Where a run is after a step. Epochs and steps count from 1.
struct StepStatus {
  std::size_t epoch = 1;
  std::size_t step = 1;
  double samples = 0.0;  ///< of this epoch so far, over all ranks
  double loss = 0.0;
};

/// A finished epoch, counted from 1. NaN stands for "not measured".
struct EpochSummary {
  std::size_t epoch = 1;
  double train_loss = 0.0;
  double test_accuracy = std::numeric_limits<double>::quiet_NaN();  ///< 0 to 1
  double epoch_s = 0.0;                                             ///< training clock, slowest rank
  double samples = 0.0;                                             ///< trained by all ranks
};

/// Shows progress; only rank 0 has one. The wall clock behind "left" starts when it is made.
class Progress {
 public:
  /// `clock` returns seconds; tests give their own.
  Progress(std::FILE* out, ProgressStyle style, std::size_t total_epochs, std::size_t steps_per_epoch,
           double (*clock)() = now_s);
  ~Progress();
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  /// After every step. Costs at most one clock reading, unless 0.1 s have passed since the last redraw.
  void step(const StepStatus& status) {
    if (style_ == ProgressStyle::live) redraw_if_due(status);
  }
  /// After every epoch, its evaluation included.
  void epoch_done(const EpochSummary& summary);
  /// At the end, also an early one: clears the live line.
  void finished();

 private:
  static constexpr double redraw_interval_s = 0.1;

  void redraw_if_due(const StepStatus& status);
  void print(const std::string& text);
  [[nodiscard]] double left_s(double now, double epoch_share) const;

  std::FILE* out_;
  ProgressStyle style_;
  std::size_t total_epochs_;
  std::size_t steps_per_epoch_;
  double (*clock_)();
  double start_s_ = clock_();
  double epoch_start_s_ = start_s_;
  double next_draw_s_ = start_s_ + redraw_interval_s;
  std::size_t epochs_seen_ = 0;  ///< finished since start_s_
  std::size_t last_epoch_ = 0;   ///< the number of the last finished epoch
  bool line_shown_ = false;
};

/// What a live line shows.
struct LiveLine {
  StepStatus status;
  std::size_t total_epochs = 1;
  std::size_t steps_per_epoch = 1;
  double samples_per_s = 0.0;
  double left_s = 0.0;
};
/// The live line in at most `width` columns. If it is too long, the bar shrinks, then it is left out, then
/// words are cut off from the right.
[[nodiscard]] std::string live_line(const LiveLine& line, std::size_t width);

/// "0:13", "12:05", "1:02:03"
[[nodiscard]] std::string clock_text(double seconds);

}  // namespace lockstep::record
