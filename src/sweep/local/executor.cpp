// SPDX-License-Identifier: BSD-3-Clause
// The loop over runs, and what it shows.
#include "sweep/local/executor.hpp"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <fstream>

#include <fmt/format.h>
#include <unistd.h>

#include "core/clock.hpp"
#include "core/error.hpp"
#include "record/progress.hpp"
#include "record/provenance.hpp"
#include "sweep/plan.hpp"
#include "sweep/run_state.hpp"

namespace lockstep::sweep {
namespace {

constexpr double look_s = 2.0;

std::string option(const std::string& key) {
  std::string name = "--" + key;
  std::ranges::replace(name, '_', '-');
  return name;
}

/// The terminal's last line, redrawn while a run goes on; nothing elsewhere.
class LiveLine {
 public:
  explicit LiveLine(bool on) : on_(on) {}
  void show(const std::string& text) const {
    if (!on_) return;
    fmt::print("\r\033[K{}", text);
    std::fflush(stdout);
  }
  void clear() const { show(""); }

 private:
  bool on_;
};

std::string result_text(const RunStatus& status) {
  std::string text;
  if (!std::isnan(status.accuracy)) text += fmt::format("  {:6.2f} %", 100.0 * status.accuracy);
  if (!std::isnan(status.epoch_s)) text += fmt::format("  {:8.3f} s/epoch", status.epoch_s);
  return text;
}

class Runner {
 public:
  Runner(const Workplace& place, std::size_t count, SignalWatch& signals)
      : place_(place), count_(count), signals_(signals), live_(record::is_terminal(stdout)) {}

  // False: a signal has ended the list.
  bool run(std::size_t number, const Point& point);
  void expect(std::size_t count) { count_ = count; }
  void leave(std::size_t count) { outcome_.open += count; }
  [[nodiscard]] const Outcome& outcome() const { return outcome_; }

 private:
  JobEnd launch(const Point& point, const std::string& title);
  void tell(const std::string& title, const std::string& rest) const {
    live_.clear();
    fmt::print("{}{}\n", title, rest);
    std::fflush(stdout);
  }

  const Workplace& place_;
  std::size_t count_;
  SignalWatch& signals_;
  LiveLine live_;
  Outcome outcome_;
};

JobEnd Runner::launch(const Point& point, const std::string& title) {
  const LaunchLine line =
      launch_line(place_.site, place(place_.site, place_.allocation, point.ranks, point.nodes),
                  train_words(place_.folder, point));
  const auto log = place_.folder.log(point.run_id);
  std::ofstream(log, std::ios::app) << attempt_mark << record::utc_now() << ' ' << shell_line(line.words)
                                    << '\n';
  double next_look_s = 0.0;
  return run_watched(line, log, signals_, [&] {
    if (now_s() < next_look_s) return;
    next_look_s = now_s() + look_s;
    const RunStatus status = status_of(place_.folder, point);
    live_.show(status.epochs_done == 0
                   ? title
                   : fmt::format("{}  epoch {}/{}{}  left {}", title, status.epochs_done, status.epochs,
                                 result_text(status), record::clock_text(status.left_s)));
  });
}

bool Runner::run(std::size_t number, const Point& point) {
  const RunStatus before = status_of(place_.folder, point);
  if (before.state == RunState::complete) {
    ++outcome_.before;
    return true;
  }
  const std::string title =
      fmt::format("{:>{}}/{}  {}", number, std::to_string(count_).size(), count_, point.run_id);
  live_.show(title);
  const double start_s = now_s();
  JobEnd end;
  try {
    end = launch(point, title);
  } catch (const ConfigError& error) {  // e.g. more ranks than this place has: the other runs may do
    std::ofstream(place_.folder.log(point.run_id), std::ios::app) << "error: " << error.what() << '\n';
    end.status = 2;
  }
  if (end.stop_signal != 0) outcome_.stop_signal = end.stop_signal;
  const bool kept = end.status == interrupted_status;
  // Before train could take signals; whatever the launcher says of that, nothing is known against the run.
  const bool too_early =
      end.status == 128 + SIGUSR1 || status_of(place_.folder, point).state == RunState::waiting;
  if (end.stop_signal != 0 && (kept || too_early)) {
    ++outcome_.open;
    tell(title, kept ? "  interrupted, to be resumed" : "  stopped before it began");
    return false;
  }
  if (end.status == taken_over_status) {  // and with what comes after it, too
    ++outcome_.failed;
    tell(title, "  another job goes on with this sweep; this one ends");
    return false;
  }
  const RunStatus after = status_of(place_.folder, point);
  if (end.status == 0 && after.state == RunState::complete) {
    ++outcome_.complete;
    tell(title, fmt::format("{}  {}", result_text(after), record::clock_text(now_s() - start_s)));
    return end.stop_signal == 0;
  }
  ++outcome_.failed;
  const std::string reason = reason_in(place_.folder.log(point.run_id));
  tell(title, fmt::format("  FAILED with status {}: {}\n  log: {}", end.status,
                          reason.empty() ? "see the log" : reason, place_.folder.log(point.run_id).string()));
  return end.stop_signal == 0;
}

}  // namespace

std::vector<std::string> train_words(const SweepFolder& folder, const Point& point) {
  std::vector<std::string> words = {sibling_program("train").string()};
  for (const auto& [key, value] : point.settings.items())
    words.push_back(
        fmt::format("{}={}", option(key), value.is_string() ? value.get<std::string>() : value.dump()));
  words.insert(words.end(), {"--results=" + folder.results().string(), "--run-id=" + point.run_id, "--resume",
                             "--progress=plain"});
  return words;
}

Outcome make_runs(const Workplace& place, std::vector<Point> points, SignalWatch& signals) {
  Runner runner(place, points.size(), signals);
  for (std::size_t i = 0; i < points.size(); ++i) {
    if (!runner.run(i + 1, points[i])) {
      runner.leave(points.size() - i - 1);
      break;
    }
    if (i + 1 < points.size()) continue;
    const std::vector<Point> more =
        interleaved(due_repeats(place.spec, points, place.folder), place.spec.name);
    points.insert(points.end(), more.begin(), more.end());
    runner.expect(points.size());
  }
  return runner.outcome();
}

int exit_status(const Outcome& outcome) {
  if (outcome.stop_signal != 0) return interrupted_status;
  return outcome.failed == 0 ? 0 : 1;
}

}  // namespace lockstep::sweep
