// SPDX-License-Identifier: BSD-3-Clause
// Puts together run files, the queue and the lock.
#include "sweep/commands/view.hpp"

#include <algorithm>
#include <cmath>
#include <map>

#include <fmt/format.h>

#include "core/json.hpp"
#include "record/progress.hpp"
#include "sweep/slurm/slurm.hpp"

namespace lockstep::sweep {
namespace {

// The job, or task of an array, that a run was last given to.
std::map<std::string, QueueEntry> jobs_of_runs(const SweepFolder& folder) {
  const std::vector<Job> jobs = load_jobs(folder);
  const std::vector<QueueEntry> queue = have_slurm() ? queue_of(jobs) : std::vector<QueueEntry>{};
  std::map<std::string, QueueEntry> runs;
  for (const Job& job : jobs)  // later jobs replace earlier ones
    for (std::size_t task = 0; task < job.tasks.size(); ++task) {
      QueueEntry last{.job_id = job.id};
      if (job.is_array) last.task = task;
      const auto entry = std::ranges::find(queue, last.name(), &QueueEntry::name);
      if (entry != queue.end()) last = *entry;
      for (const std::string& run_id : job.tasks[task]) runs[run_id] = last;
    }
  return runs;
}

// The state of a run whose file says `state`.
RunState with_job(RunState state, bool is_active, bool is_running) {
  if (state == RunState::broken && is_running) return RunState::running;
  const bool is_open =
      state == RunState::broken || state == RunState::missing || state == RunState::interrupted;
  return is_active && is_open ? RunState::waiting : state;
}

// Why there is no complete run, although no job will make it.
std::string reason_of(const SweepFolder& folder, const RunView& view, const QueueEntry* job) {
  if (!view.run.why.empty()) return view.run.why;
  std::string why = reason_in(folder.log(view.point.run_id));
  if (job == nullptr) return why;
  if (why.empty()) why = reason_in(folder.state() / "log" / fmt::format("slurm-{}.out", job->name()));
  const std::string end = end_state(*job);
  if (end.empty() || end == "COMPLETED" || end == "FAILED") return why;
  return why.empty() ? end : end + ": " + why;
}

std::string_view name_of(RunState state) { return state_names[static_cast<std::size_t>(state)]; }

std::string line_of(const RunView& view, std::size_t width) {
  std::string line = fmt::format("  {:<11}  {:<{}}", name_of(view.run.state), view.point.run_id, width);
  if (view.run.epochs > 0) line += fmt::format("  {:>3}/{:<3}", view.run.epochs_done, view.run.epochs);
  if (!std::isnan(view.run.accuracy)) line += fmt::format("  {:6.2f} %", 100.0 * view.run.accuracy);
  if (!std::isnan(view.run.epoch_s)) line += fmt::format("  {:.3f} s/epoch", view.run.epoch_s);
  if (view.run.state == RunState::running && !std::isnan(view.run.left_s))
    line += "  left " + record::clock_text(view.run.left_s);
  if (!view.job.empty()) line += "  job " + view.job;
  if (!view.run.why.empty()) line += "\n               " + view.run.why;
  return line;
}

}  // namespace

std::vector<RunView> view_of(const Plan& plan) {
  const std::map<std::string, QueueEntry> jobs = jobs_of_runs(plan.folder);
  const bool here = lock_holder(plan.folder).has_value();  // by sweep run or resume on this machine
  std::vector<RunView> views;
  for (const Point& point : points_so_far(plan)) {
    RunView& view = views.emplace_back(RunView{.point = point, .run = status_of(plan.folder, point)});
    RunState& state = view.run.state;
    const auto at = jobs.find(point.run_id);
    const QueueEntry* job = at == jobs.end() ? nullptr : &at->second;
    state = with_job(state, here || (job != nullptr && job->is_active()),
                     here || (job != nullptr && job->is_running()));
    if (job != nullptr) {
      view.job = job->name();
      if (state == RunState::waiting && !job->is_running()) view.run.why = job->reason;
    }
    if (state == RunState::failed || state == RunState::broken ||
        (state == RunState::missing && job != nullptr))
      view.run.why = reason_of(plan.folder, view, job);
  }
  return views;
}

bool any_under_way(const std::vector<RunView>& views) {
  return std::ranges::any_of(views, [](const RunView& view) {
    return view.run.state == RunState::running || view.run.state == RunState::waiting;
  });
}

std::vector<Point> not_under_way(const Plan& plan, std::vector<Point> points) {
  const std::map<std::string, QueueEntry> jobs = jobs_of_runs(plan.folder);
  std::erase_if(points, [&](const Point& point) {
    const auto job = jobs.find(point.run_id);
    return job != jobs.end() && job->second.is_active();
  });
  return points;
}

std::string text_of(const Plan& plan, const std::vector<RunView>& views, bool all) {
  std::map<RunState, std::size_t> counts;
  std::size_t width = 0;
  for (const RunView& view : views) {
    ++counts[view.run.state];
    width = std::max(width, view.point.run_id.size());
  }
  std::string text = fmt::format("{}: {} runs", plan.spec.name, views.size());
  std::string separator = ":";
  for (const auto& [state, count] : counts) {
    text += fmt::format("{} {} {}", separator, count, name_of(state));
    separator = ",";
  }
  text += "\n";
  for (const RunView& view : views)
    if (all || (view.run.state != RunState::complete && view.run.state != RunState::waiting &&
                view.run.state != RunState::missing))
      text += line_of(view, width) + "\n";
  return text;
}

Json json_of(const std::vector<RunView>& views) {
  Json all = Json::array();
  for (const RunView& view : views)
    all.push_back({{"run_id", view.point.run_id},
                   {"state", name_of(view.run.state)},
                   {"ranks", view.point.ranks},
                   {"epochs_done", view.run.epochs_done},
                   {"epochs", view.run.epochs},
                   {"accuracy", view.run.accuracy},
                   {"epoch_s", view.run.epoch_s},
                   {"job", view.job},
                   {"why", view.run.why}});
  return all;
}

}  // namespace lockstep::sweep
