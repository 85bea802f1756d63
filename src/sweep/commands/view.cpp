// SPDX-License-Identifier: BSD-3-Clause
// Puts together run files, the queue and the lock.
#include "sweep/commands/view.hpp"

#include <algorithm>
#include <cmath>
#include <map>
#include <optional>

#include <fmt/format.h>

#include "core/json.hpp"
#include "record/progress.hpp"
#include "sweep/slurm/slurm.hpp"

namespace lockstep::sweep {
namespace {

// The job that a run was last given to.
struct LastJob {
  std::string id;
  std::optional<std::size_t> task = {};
  std::string state = {};   // in the queue; "": it has ended
  std::string reason = {};  // why it waits

  [[nodiscard]] std::string name() const { return task ? fmt::format("{}_{}", id, *task) : id; }
  [[nodiscard]] bool is_active() const { return !state.empty(); }
  [[nodiscard]] bool runs() const { return state == "RUNNING" || state == "COMPLETING"; }
};

std::map<std::string, LastJob> jobs_of_runs(const SweepFolder& folder) {
  const std::vector<Job> jobs = load_jobs(folder);
  const std::vector<QueueEntry> queue = have_slurm() ? queue_of(jobs) : std::vector<QueueEntry>{};
  std::map<std::string, LastJob> runs;
  for (const Job& job : jobs)  // later jobs replace earlier ones
    for (std::size_t task = 0; task < job.tasks.size(); ++task) {
      LastJob last{.id = job.id};
      if (job.is_array) last.task = task;
      for (const QueueEntry& entry : queue) {
        if (entry.job_id != last.id || entry.task != last.task) continue;
        last.state = entry.state;
        last.reason = entry.reason;
      }
      for (const std::string& run_id : job.tasks[task]) runs[run_id] = last;
    }
  return runs;
}

RunStanding standing_of(RunState state, bool active, bool job_runs) {
  switch (state) {
    case RunState::complete:
      return RunStanding::complete;
    case RunState::failed:
    case RunState::foreign:
      return RunStanding::failed;
    case RunState::interrupted:
      return active ? RunStanding::waiting : RunStanding::interrupted;
    case RunState::started:
      return job_runs ? RunStanding::running : active ? RunStanding::waiting : RunStanding::broken;
    case RunState::waiting:
      break;
  }
  return active ? RunStanding::waiting : RunStanding::missing;
}

// Why there is no complete run, although no job will make it.
std::string reason_of(const SweepFolder& folder, const RunView& view, const LastJob* job) {
  if (!view.run.why.empty()) return view.run.why;
  std::string why = reason_in(folder.log(view.point.run_id));
  if (job == nullptr) return why;
  if (why.empty()) why = reason_in(folder.state() / "log" / fmt::format("slurm-{}.out", job->name()));
  const std::string end = end_state(job->name());
  if (end.empty() || end == "COMPLETED" || end == "FAILED") return why;
  return why.empty() ? end : end + ": " + why;
}

std::string_view name_of(RunStanding standing) { return standing_names[static_cast<std::size_t>(standing)]; }

std::string line_of(const RunView& view, std::size_t width) {
  std::string line = fmt::format("  {:<11}  {:<{}}", name_of(view.standing), view.point.run_id, width);
  if (view.run.epochs > 0) line += fmt::format("  {:>3}/{:<3}", view.run.epochs_done, view.run.epochs);
  if (!std::isnan(view.run.accuracy)) line += fmt::format("  {:6.2f} %", 100.0 * view.run.accuracy);
  if (!std::isnan(view.run.epoch_s)) line += fmt::format("  {:.3f} s/epoch", view.run.epoch_s);
  if (view.standing == RunStanding::running && !std::isnan(view.run.left_s))
    line += "  left " + record::clock_text(view.run.left_s);
  if (!view.job.empty()) line += "  job " + view.job;
  if (!view.why.empty()) line += "\n               " + view.why;
  return line;
}

}  // namespace

std::vector<RunView> view_of(const Plan& plan) {
  const std::map<std::string, LastJob> jobs = jobs_of_runs(plan.folder);
  const bool here = lock_holder(plan.folder).has_value();  // by sweep run or resume on this machine
  std::vector<RunView> views;
  for (const Point& point : points_so_far(plan)) {
    RunView& view = views.emplace_back(RunView{.point = point, .run = status_of(plan.folder, point)});
    const auto at = jobs.find(point.run_id);
    const LastJob* job = at == jobs.end() ? nullptr : &at->second;
    view.standing = standing_of(view.run.state, here || (job != nullptr && job->is_active()),
                                here || (job != nullptr && job->runs()));
    if (job != nullptr) {
      view.job = job->name();
      if (view.standing == RunStanding::waiting && !job->runs()) view.why = job->reason;
    }
    if (view.standing == RunStanding::failed || view.standing == RunStanding::broken ||
        (view.standing == RunStanding::missing && job != nullptr))
      view.why = reason_of(plan.folder, view, job);
  }
  return views;
}

bool any_under_way(const std::vector<RunView>& views) {
  return std::ranges::any_of(views, [](const RunView& view) {
    return view.standing == RunStanding::running || view.standing == RunStanding::waiting;
  });
}

std::vector<Point> not_under_way(const Plan& plan, std::vector<Point> points) {
  const std::map<std::string, LastJob> jobs = jobs_of_runs(plan.folder);
  std::erase_if(points, [&](const Point& point) {
    const auto job = jobs.find(point.run_id);
    return job != jobs.end() && job->second.is_active();
  });
  return points;
}

std::string text_of(const Plan& plan, const std::vector<RunView>& views, bool all) {
  std::map<RunStanding, std::size_t> counts;
  std::size_t width = 0;
  for (const RunView& view : views) {
    ++counts[view.standing];
    width = std::max(width, view.point.run_id.size());
  }
  std::string text = fmt::format("{}: {} runs", plan.spec.name, views.size());
  std::string separator = ":";
  for (const auto& [standing, count] : counts) {
    text += fmt::format("{} {} {}", separator, count, name_of(standing));
    separator = ",";
  }
  text += "\n";
  for (const RunView& view : views)
    if (all || (view.standing != RunStanding::complete && view.standing != RunStanding::waiting &&
                view.standing != RunStanding::missing))
      text += line_of(view, width) + "\n";
  return text;
}

Json json_of(const std::vector<RunView>& views) {
  Json all = Json::array();
  for (const RunView& view : views)
    all.push_back({{"run_id", view.point.run_id},
                   {"state", name_of(view.standing)},
                   {"ranks", view.point.ranks},
                   {"epochs_done", view.run.epochs_done},
                   {"epochs", view.run.epochs},
                   {"accuracy", view.run.accuracy},
                   {"epoch_s", view.run.epoch_s},
                   {"job", view.job},
                   {"why", view.why}});
  return all;
}

}  // namespace lockstep::sweep
