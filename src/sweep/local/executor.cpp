// SPDX-License-Identifier: BSD-3-Clause
// The loop over runs, and what it prints.
#include "sweep/local/executor.hpp"

#include <algorithm>
#include <cmath>
#include <cstdio>

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include "core/clock.hpp"
#include "core/error.hpp"
#include "core/home.hpp"
#include "core/options.hpp"
#include "core/text.hpp"
#include "record/checkpoint.hpp"
#include "record/progress.hpp"
#include "record/provenance.hpp"
#include "sweep/run_state.hpp"

namespace lockstep::sweep {
namespace {

constexpr double look_s = 2.0;
constexpr int bad_input_status = 2;

// How the site starts train for a point's run, which resumes from an earlier attempt's checkpoint.
LaunchLine train_line(const Site& site, const Allocation& allocation, const SweepFolder& folder,
                      const Point& point) {
  std::vector<std::string> words = {sibling_program("train").string()};
  for (const auto& [key, value] : point.settings.items()) {
    std::string option = "--" + key;
    std::ranges::replace(option, '_', '-');
    words.push_back(option + "=" + typed(value));
  }
  words.insert(words.end(), {"--results=" + folder.results().string(), "--run-id=" + point.run_id, "--resume",
                             "--progress=plain"});
  return launch_line(site, place(site, allocation, point.ranks, point.nodes), words);
}

void append(const std::filesystem::path& log, const std::string& text) {
  const int file = open_own(log, O_WRONLY | O_APPEND);
  (void)!write(file, text.data(), text.size());
  close(file);
}

std::string result_text(const RunStatus& status) {
  std::string text;
  if (!std::isnan(status.accuracy)) text += fmt::format("  {:6.2f} %", 100.0 * status.accuracy);
  if (!std::isnan(status.epoch_s)) text += fmt::format("  {:8.3f} s/epoch", status.epoch_s);
  return text;
}

// The terminal may be gone, with the connection that it came through; the runs matter more.
void say(const std::string& text) {
  std::fputs(text.c_str(), stdout);
  std::fflush(stdout);
}

class Runner {
 public:
  Runner(const Plan& plan, const Site& site, SignalWatch& signals)
      : plan_(plan), site_(site), signals_(signals) {}

  Outcome run_all(std::vector<Point> points) {
    for (std::size_t i = 0; i < points.size(); ++i) {
      const std::string title = fmt::format("{:>{}}/{}  {}", i + 1, std::to_string(points.size()).size(),
                                            points.size(), points[i].run_id);
      if (!run(points[i], title)) {
        outcome_.open += points.size() - i - 1;
        break;
      }
      if (i + 1 < points.size()) continue;
      const std::vector<Point> more =
          interleaved(due_repeats(plan_.spec, points, plan_.folder), plan_.spec.name);
      points.insert(points.end(), more.begin(), more.end());
    }
    return outcome_;
  }

 private:
  // False: the list ends here.
  bool run(const Point& point, const std::string& title);
  JobEnd launch(const Point& point, const std::string& title);
  // Also if the run's file is damaged.
  JobEnd launch_anew(const Point& point, const std::string& title);

  // The terminal's last line, redrawn while a run is at work; nothing elsewhere.
  void show(const std::string& text) const {
    if (is_live_) say("\r\033[K" + text);
  }
  void print(const std::string& line) const {
    show("");
    say(line + "\n");
  }

  const Plan& plan_;
  const Site& site_;
  SignalWatch& signals_;
  Allocation allocation_ = current_allocation();
  bool is_live_ = record::is_terminal(stdout);
  Outcome outcome_;
  std::string trouble_;  // why the current run could not be started
};

JobEnd Runner::launch(const Point& point, const std::string& title) {
  const auto log = plan_.folder.log(point.run_id);
  try {
    const LaunchLine line = train_line(site_, allocation_, plan_.folder, point);
    append(log, fmt::format("{}{} {}\n", attempt_mark, record::utc_now(), shell_line(line.words)));
    double next_look_s = 0.0;
    return run_watched(line, log, signals_, [&] {
      if (now_s() < next_look_s) return;
      next_look_s = now_s() + look_s;
      const RunStatus status = status_of(plan_.folder, point);
      show(status.epochs_done == 0 ? title
                                   : fmt::format("{}  epoch {}/{}{}{}", title, status.epochs_done,
                                                 status.epochs, result_text(status), remaining_text(status)));
    });
  } catch (const ConfigError& error) {  // e.g. more ranks than this place has; other runs may fit
    const std::string text = error.what();
    trouble_ = text.substr(0, text.find('\n'));
    try {
      append(log, fmt::format("error: {}\n", text));
    } catch (const ConfigError&) {  // the log itself may be the trouble
    }
    return {.status = bad_input_status};
  }
}

JobEnd Runner::launch_anew(const Point& point, const std::string& title) {
  const auto is_damaged = [&] { return status_of(plan_.folder, point).is_damaged; };
  const auto begin = [&] {
    print(fmt::format("{}  its run file is damaged: kept as {}, made again", title,
                      set_aside(plan_.folder, point.run_id).string()));
    return launch(point, title);
  };
  if (!is_damaged()) return launch(point, title);
  if (!std::filesystem::exists(record::checkpoint_path(plan_.folder.run_file(point.run_id)))) return begin();
  const JobEnd end = launch(point, title);  // a checkpoint may be enough for train
  return end.status == bad_input_status && end.stop_signal == 0 && is_damaged() ? begin() : end;
}

bool Runner::run(const Point& point, const std::string& title) {
  const auto state = [&] { return status_of(plan_.folder, point).state; };
  if (state() == RunState::complete) return true;
  show(title);
  const double start_s = now_s();
  trouble_.clear();
  const JobEnd end = launch_anew(point, title);
  const bool stopped = end.stop_signal != 0;
  if (stopped) outcome_.stop_signal = end.stop_signal;
  // A signal before train could handle it; whatever the launcher says then, the run itself has not failed.
  const bool too_early = end.status == 128 + SIGUSR1 || state() == RunState::missing;
  if (stopped && (end.status == interrupted_status || too_early)) {
    ++outcome_.open;
    print(title +
          (end.status == interrupted_status ? "  interrupted, to be resumed" : "  stopped before it began"));
    return false;
  }
  if (end.status == taken_over_status) {
    ++outcome_.failed;
    if (is_superseded(allocation_)) {
      print(title + "  another job has taken this sweep over; this one ends");
      return false;
    }
    print(title + "  taken over by another process; the next run follows");
    return !stopped;
  }
  const RunStatus after = status_of(plan_.folder, point);
  if (end.status == 0 && after.state == RunState::complete) {
    print(fmt::format("{}{}  {}", title, result_text(after), record::clock_text(now_s() - start_s)));
    return !stopped;
  }
  ++outcome_.failed;
  const auto log = plan_.folder.log(point.run_id);
  const std::string reason = trouble_.empty() ? reason_in(log) : trouble_;
  print(fmt::format("{}  FAILED with status {}: {}\n  log: {}", title, end.status,
                    reason.empty() ? "see the log" : reason, log.string()));
  return !stopped;
}

}  // namespace

int Outcome::exit_status() const {
  if (stop_signal != 0) return interrupted_status;
  return failed == 0 ? 0 : 1;
}

Outcome make_runs(const Plan& plan, const Site& site, std::vector<Point> points, SignalWatch& signals) {
  return Runner(plan, site, signals).run_all(std::move(points));
}

void print_local(const Plan& plan, const Site& site) {
  const Allocation allocation = current_allocation();
  for (const Point& point : interleaved(missing_points(plan), plan.spec.name))
    fmt::print("{}\n", shell_line(train_line(site, allocation, plan.folder, point).words));
}

void check_local(const Plan& plan, const Site& site) {
  if (site.scheduler != "none")
    throw ConfigError({"the site " + site.name + " is not for local runs",
                       "a site with \"scheduler\": \"none\"", site.scheduler,
                       "sweep submit is for Slurm; --site local is this machine"});
  const Allocation allocation = current_allocation();
  for (const Point& point : plan.points)  // a run that does not fit is an error before the first one starts
    (void)place(site, allocation, point.ranks, point.nodes);
}

int run_local(const Plan& plan, const Site& site) {
  const std::vector<Point> missing = missing_points(plan);
  const std::size_t before = points_so_far(plan).size();
  const std::size_t complete = before - missing.size();
  const std::string folder = visible(plan.folder.root().string());
  fmt::print("{}: {}{} -> {}\n", plan.spec.name, plural(before, "run"),
             complete == 0 ? "" : fmt::format(", {} of them complete", complete), folder);
  std::fflush(stdout);

  SignalWatch signals;
  const Outcome outcome =
      make_runs(plan, site, interleaved(with_other_repeats(plan, missing), plan.spec.name), signals);
  const std::size_t left = outcome.failed + outcome.open;
  const std::size_t all = points_so_far(plan).size();
  if (left == 0)
    say(fmt::format("all complete; next: analysis/lockstep-analysis table {}\n", folder));
  else
    say(fmt::format("{} of {} complete, {} failed; to resume: build/bin/sweep resume {}\n", all - left, all,
                    outcome.failed, folder));
  return outcome.exit_status();
}

}  // namespace lockstep::sweep
