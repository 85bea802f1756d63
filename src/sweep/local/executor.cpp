// SPDX-License-Identifier: BSD-3-Clause
// The loop over runs, and what it prints.
#include "sweep/local/executor.hpp"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <limits>
#include <optional>
#include <utility>

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include "core/clock.hpp"
#include "core/error.hpp"
#include "core/home.hpp"
#include "core/names.hpp"
#include "core/options.hpp"
#include "core/text.hpp"
#include "record/checkpoint.hpp"
#include "record/progress.hpp"
#include "record/provenance.hpp"
#include "sweep/run_state.hpp"

namespace lockstep::sweep {
namespace {

constexpr double wait_s = 0.5;
constexpr double look_s = 2.0;
// About what ranks of the models that come with Lockstep take: runs that need more are for --at-once.
constexpr double simulated_rank_bytes = 24.0 * (1 << 20);
constexpr int bad_input_status = 2;

// How the site starts train for a point's run, which resumes from an earlier attempt's checkpoint.
LaunchLine train_line(const Site& site, const Allocation& allocation, const SweepFolder& folder,
                      const Point& point) {
  std::vector<std::string> words = {site.simulation ? "train" : sibling_program("train").string()};
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

// For `sweep status`, which reads the log.
void note_in(const std::filesystem::path& log, const std::string& line) {
  try {
    append(log, line + "\n");
  } catch (const ConfigError&) {  // the log itself may be the trouble
  }
}

// Why a run failed, from its log. A program that a signal ends leaves no word there, unless a launcher does.
std::string reason_of(const std::filesystem::path& log, int status) {
  constexpr int by_signal = 128;
  const std::string reason = reason_in(log);
  if (!reason.empty() || status <= by_signal) return reason;
  const std::string ended =
      fmt::format("ended by signal {} ({})", status - by_signal, strsignal(status - by_signal));
  note_in(log, "error: " + ended);
  return ended;
}

// That programs may take without the machine's swapping; without limit where nothing says how much there is.
double available_bytes() {
  std::ifstream file("/proc/meminfo");
  for (std::string line; std::getline(file, line);)
    if (line.starts_with("MemAvailable:")) return 1024.0 * std::stod(line.substr(line.find(':') + 1));
  return std::numeric_limits<double>::infinity();
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

// A run at work.
struct Work {
  Point point;
  std::string title;
  double start_s = 0.0;
  Launch launch;
};

class Runner {
 public:
  Runner(const Plan& plan, const Site& site, SignalWatch& signals)
      : plan_(plan), site_(site), signals_(signals) {}

  Outcome run_all(std::vector<Point> points) {
    points_ = std::move(points);
    for (;;) {
      while (has_room()) begin(points_[next_++]);
      if (!at_work_.empty())
        watch();
      else if (is_over_ || (next_ == points_.size() && !add_due_repeats()))
        break;
    }
    outcome_.open += points_.size() - next_;
    return outcome_;
  }

 private:
  [[nodiscard]] bool has_room() const;
  bool add_due_repeats();
  void begin(const Point& point);
  // Waits for a signal, or for the end of a run.
  void watch();
  void finish(const Work& work, const JobEnd& end);
  void fail(const std::string& title, const Point& point, int status, const std::string& reason);

  // None if the run could not be started.
  std::optional<Launch> launch(const Point& point, const std::string& title);
  void set_damaged_aside(const Point& point, const std::string& title);

  // The terminal's last line, redrawn while runs are at work; nothing elsewhere.
  void show(const std::string& text) const {
    if (is_live_) say("\r\033[K" + text);
  }
  void show_progress();
  void print(const std::string& line) const {
    show("");
    say(line + "\n");
  }

  const Plan& plan_;
  const Site& site_;
  SignalWatch& signals_;
  Allocation allocation_ = current_allocation();
  bool is_live_ = record::is_terminal(stdout);
  double next_look_s_ = 0.0;
  double memory_bytes_ = available_bytes();  // for all runs that are at work
  std::vector<Point> points_;
  std::size_t next_ = 0;  // the first that has not begun
  std::vector<Work> at_work_;
  bool is_over_ = false;  // no further run begins
  Outcome outcome_;
};

bool Runner::has_room() const {
  if (is_over_ || next_ == points_.size() || at_work_.size() >= site_.runs_at_once) return false;
  std::size_t ranks = points_[next_].ranks;
  for (const Work& work : at_work_) ranks += work.point.ranks;
  return at_work_.empty() || static_cast<double>(ranks) * simulated_rank_bytes <= memory_bytes_;
}

bool Runner::add_due_repeats() {
  const std::vector<Point> more =
      interleaved(due_repeats(plan_.spec, points_, plan_.folder), plan_.spec.name);
  points_.insert(points_.end(), more.begin(), more.end());
  return !more.empty();
}

void Runner::begin(const Point& point) {
  const RunStatus status = status_of(plan_.folder, point);
  if (status.state == RunState::complete) return;
  const std::string title = fmt::format("{:>{}}/{}  {}", next_, std::to_string(points_.size()).size(),
                                        points_.size(), point.run_id);
  show(title);
  // A checkpoint may be enough for train.
  if (status.is_damaged &&
      !std::filesystem::exists(record::checkpoint_path(plan_.folder.run_file(point.run_id))))
    set_damaged_aside(point, title);
  const double start_s = now_s();
  if (auto started = launch(point, title))
    at_work_.push_back({.point = point, .title = title, .start_s = start_s, .launch = *started});
}

void Runner::set_damaged_aside(const Point& point, const std::string& title) {
  print(fmt::format("{}  its run file is damaged: kept as {}, made again", title,
                    set_aside(plan_.folder, point.run_id).string()));
}

std::optional<Launch> Runner::launch(const Point& point, const std::string& title) {
  const auto log = plan_.folder.log(point.run_id);
  try {
    const LaunchLine line = train_line(site_, allocation_, plan_.folder, point);
    append(log, fmt::format("{}{} {}\n", attempt_mark, record::utc_now(), shell_line(line.words)));
    return Launch(line, log);
  } catch (const ConfigError& error) {  // e.g. more ranks than this place has; other runs may fit
    const std::string text = error.what();
    note_in(log, "error: " + text);
    fail(title, point, bad_input_status, text.substr(0, text.find('\n')));
    return {};
  }
}

void Runner::watch() {
  const int number = signals_.next(wait_s);
  if (is_stop_signal(number)) {
    is_over_ = true;
    if (outcome_.stop_signal == 0) outcome_.stop_signal = number;
  }
  for (Work& work : at_work_) work.launch.signal(number);
  std::vector<Work> still;
  for (Work& work : std::exchange(at_work_, {}))
    if (const auto end = work.launch.end())
      finish(work, *end);
    else
      still.push_back(std::move(work));
  at_work_.insert(at_work_.begin(), still.begin(), still.end());  // finish() may have begun one anew
  show_progress();
}

void Runner::show_progress() {
  if (!is_live_ || at_work_.empty() || now_s() < next_look_s_) return;
  next_look_s_ = now_s() + look_s;
  std::string text;
  std::vector<std::string> epochs;
  for (const Work& work : at_work_) {
    const RunStatus status = status_of(plan_.folder, work.point);
    epochs.push_back(fmt::format("{}/{}", status.epochs_done, status.epochs));
    text = status.epochs_done == 0 ? work.title
                                   : fmt::format("{}  epoch {}{}{}", work.title, epochs.back(),
                                                 result_text(status), remaining_text(status));
  }
  show(at_work_.size() == 1 ? text
                            : fmt::format("{}/{} begun, {} at work, in epochs {}", next_, points_.size(),
                                          at_work_.size(), join(epochs)));
}

void Runner::finish(const Work& work, const JobEnd& end) {
  const auto& [point, title, start_s, launched] = work;
  if (end.stop_signal != 0) {  // by Slurm's preemption, for one
    is_over_ = true;
    if (outcome_.stop_signal == 0) outcome_.stop_signal = end.stop_signal;
  }
  const RunStatus after = status_of(plan_.folder, point);
  // A signal before train could handle it; whatever the launcher says then, the run itself has not failed.
  const bool too_early = end.status == 128 + SIGUSR1 || after.state == RunState::missing;
  const bool is_open = end.stop_signal != 0 && (end.status == interrupted_status || too_early);
  const auto log = plan_.folder.log(point.run_id);
  const std::string reason = is_open ? "" : reason_of(log, end.status);
  note_in(log, fmt::format("{}{} ended with status {}", end_mark, record::utc_now(), end.status));
  if (end.status == bad_input_status && end.stop_signal == 0 && after.is_damaged) {
    set_damaged_aside(point, title);
    if (auto started = launch(point, title))
      at_work_.push_back({.point = point, .title = title, .start_s = start_s, .launch = *started});
    return;
  }
  if (is_open) {
    ++outcome_.open;
    print(title +
          (end.status == interrupted_status ? "  interrupted, to be resumed" : "  stopped before it began"));
    return;
  }
  if (end.status == taken_over_status) {
    ++outcome_.failed;
    const bool is_superseded_job = is_superseded(allocation_);
    is_over_ = is_over_ || is_superseded_job;
    print(title + (is_superseded_job ? "  another job has taken this sweep over; this one ends"
                                     : "  taken over by another process; the next run follows"));
    return;
  }
  if (end.status == 0 && after.state == RunState::complete) {
    print(fmt::format("{}{}  {}", title, result_text(after), record::clock_text(now_s() - start_s)));
    return;
  }
  fail(title, point, end.status, reason);
}

void Runner::fail(const std::string& title, const Point& point, int status, const std::string& reason) {
  ++outcome_.failed;
  print(fmt::format("{}  FAILED with status {}: {}\n  log: {}", title, status,
                    reason.empty() ? "see the log" : reason, plan_.folder.log(point.run_id).string()));
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

Site site_of_runs(const std::string& word, std::size_t at_once) {
  Site site = read_site(word);
  if (at_once == 0) return site;
  if (!site.simulation)
    throw ConfigError({"--at-once " + std::to_string(at_once) + " at the site " + site.name,
                       "--site sim:NAME", site.name,
                       "real runs are made one after another: their ranks have the machine to themselves"});
  site.runs_at_once = at_once;
  return site;
}

void check_local(const Plan& plan, const Site& site) {
  if (site.scheduler != "none")
    throw ConfigError({"the site " + site.name + " is not for local runs",
                       "a site with \"scheduler\": \"none\"", site.scheduler,
                       "sweep submit is for Slurm; --site local is this machine"});
  check_same_cluster(plan.folder, plan.spec.simulation, site.simulation);
  if (site.simulation) check_simulator(site);
  const Allocation allocation = current_allocation();
  for (const Point& point : plan.points)  // a run that does not fit is an error before the first one starts
    (void)place(site, allocation, point.ranks, point.nodes);
}

int run_local(const Plan& plan, const Site& site) {
  const std::vector<Point> missing = missing_points(plan);
  const std::size_t before = points_so_far(plan).size();
  const std::size_t complete = before - missing.size();
  const std::string folder = visible(plan.folder.root().string());
  fmt::print("{}: {}{}{} -> {}\n", plan.spec.name, plural(before, "run"),
             complete == 0 ? "" : fmt::format(", {} of them complete", complete),
             site.simulation
                 ? fmt::format(", simulated on {}, {} at once", site.simulation->cluster, site.runs_at_once)
                 : "",
             folder);
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
