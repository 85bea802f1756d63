// SPDX-License-Identifier: BSD-3-Clause
// Puts together run files, the queue and the lock.
#include "sweep/commands/view.hpp"

#include <algorithm>
#include <cmath>
#include <map>

#include <fmt/format.h>

#include "core/error.hpp"
#include "core/json.hpp"
#include "record/progress.hpp"
#include "sweep/slurm/slurm.hpp"

namespace lockstep::sweep {
namespace {

// The job, or task of an array, that a run was last given to.
using JobsOfRuns = std::map<std::string, QueueEntry>;

JobsOfRuns jobs_of_runs(const std::vector<Job>& jobs, const std::vector<QueueEntry>& queue) {
  JobsOfRuns runs;
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
std::string reason_of(const SweepFolder& folder, const RunView& run, const QueueEntry* job) {
  if (!run.status.why.empty()) return run.status.why;
  std::string why = reason_in(folder.log(run.point.run_id));
  if (job == nullptr) return why;
  if (why.empty()) why = reason_in(folder.logs() / fmt::format("slurm-{}.out", job->name()));
  if (job->state.empty()) return why.empty() ? "Slurm has forgotten its job" : why;
  if (why.empty()) return job->state == "COMPLETED" ? "" : job->state + " " + job->reason;
  return job->state == "COMPLETED" || job->state == "FAILED" ? why : job->state + ": " + why;
}

std::string_view name_of(RunState state) { return state_names[static_cast<std::size_t>(state)]; }

std::string line_of(const RunView& run, std::size_t width) {
  std::string line = fmt::format("  {:<11}  {:<{}}", name_of(run.status.state), run.point.run_id, width);
  if (run.status.epochs > 0) line += fmt::format("  {:>3}/{:<3}", run.status.epochs_done, run.status.epochs);
  if (!std::isnan(run.status.accuracy)) line += fmt::format("  {:6.2f} %", 100.0 * run.status.accuracy);
  if (!std::isnan(run.status.epoch_s)) line += fmt::format("  {:.3f} s/epoch", run.status.epoch_s);
  if (run.status.state == RunState::running) line += remaining_text(run.status);
  if (!run.job.empty()) line += "  job " + run.job;
  if (!run.status.why.empty()) line += "\n               " + run.status.why;
  return line;
}

}  // namespace

View view_of(const Plan& plan) {
  View view{.runs = {}, .unknown = ""};
  const std::vector<Job> submitted = load_jobs(plan.folder);
  std::vector<QueueEntry> queue;
  try {
    if (!submitted.empty()) require_slurm();
    queue = queue_of(submitted);
  } catch (const ConfigError& error) {
    view.unknown = error.what();
  }
  const bool is_known = view.unknown.empty();
  const JobsOfRuns jobs = jobs_of_runs(submitted, queue);
  const bool is_worked_on = lock_holder(plan.folder).has_value();  // by sweep run or resume on this machine
  for (const Point& point : points_so_far(plan)) {
    RunView& run = view.runs.emplace_back(RunView{.point = point, .status = status_of(plan.folder, point)});
    RunState& state = run.status.state;
    // One that was killed is not begun again.
    const bool here =
        is_worked_on && !(state == RunState::broken && has_ended(plan.folder.log(point.run_id)));
    const auto at = jobs.find(point.run_id);
    const QueueEntry* job = at == jobs.end() ? nullptr : &at->second;
    state = with_job(state, here || (job != nullptr && job->is_active()),
                     here || (job != nullptr && (job->is_running() || !is_known)));
    if (job != nullptr) {
      run.job = job->name();
      if (state == RunState::waiting && !job->is_running()) run.status.why = job->reason;
    }
    if (state == RunState::failed || state == RunState::broken ||
        (state == RunState::missing && job != nullptr && is_known))
      run.status.why = reason_of(plan.folder, run, is_known ? job : nullptr);
  }
  return view;
}

bool any_under_way(const View& view) {
  return std::ranges::any_of(view.runs, [](const RunView& run) {
    return run.status.state == RunState::running || run.status.state == RunState::waiting;
  });
}

std::vector<Point> not_under_way(const Plan& plan, std::vector<Point> points) {
  const std::vector<Job> submitted = load_jobs(plan.folder);
  const JobsOfRuns jobs = jobs_of_runs(submitted, queue_of(submitted));
  std::erase_if(points, [&](const Point& point) {
    const auto job = jobs.find(point.run_id);
    return job != jobs.end() && job->second.is_active();
  });
  return points;
}

std::string text_of(const Plan& plan, const View& view, bool all) {
  std::map<RunState, std::size_t> counts;
  std::size_t width = 0;
  for (const RunView& run : view.runs) {
    ++counts[run.status.state];
    width = std::max(width, run.point.run_id.size());
  }
  std::string text = fmt::format("{}: {} runs", plan.spec.name, view.runs.size());
  if (plan.spec.simulation) text += " simulated on " + plan.spec.simulation->cluster;
  std::string separator = ":";
  for (const auto& [state, count] : counts) {
    text += fmt::format("{} {} {}", separator, count, name_of(state));
    separator = ",";
  }
  text += "\n";
  std::map<std::string, std::vector<std::string>>
      not_made;  // by the reason: a job that fails makes many runs miss
  for (const RunView& run : view.runs) {
    const RunState state = run.status.state;
    if (all || (state != RunState::complete && state != RunState::waiting && state != RunState::missing))
      text += line_of(run, width) + "\n";
    else if (state == RunState::missing && !run.status.why.empty())
      not_made[run.status.why].push_back(run.point.run_id);
  }
  for (const auto& [why, run_ids] : not_made)
    text += fmt::format("  {:<11}  {}{}\n               {}\n", name_of(RunState::missing), run_ids.front(),
                        run_ids.size() == 1 ? "" : fmt::format(" and {} more", run_ids.size() - 1), why);
  return text;
}

Json json_of(const View& view) {
  Json all = Json::array();
  for (const RunView& run : view.runs)
    all.push_back({{"run_id", run.point.run_id},
                   {"state", name_of(run.status.state)},
                   {"ranks", run.point.ranks},
                   {"epochs_done", run.status.epochs_done},
                   {"epochs", run.status.epochs},
                   {"accuracy", run.status.accuracy},
                   {"epoch_s", run.status.epoch_s},
                   {"silent_s", run.status.silent_s},
                   {"job", run.job},
                   {"why", run.status.why}});
  return all;
}

}  // namespace lockstep::sweep
