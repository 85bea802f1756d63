// SPDX-License-Identifier: BSD-3-Clause
// Run files, the queue and the lock, put together.
#include "sweep/commands/view.hpp"

#include <algorithm>
#include <cmath>
#include <map>
#include <set>

#include <fmt/format.h>

#include "core/json.hpp"
#include "record/progress.hpp"

namespace lockstep::sweep {
namespace {

// What is known of the job that a run was last given to.
struct Given {
  std::string job_id;
  std::optional<std::size_t> task;
  bool active = false;
  bool job_runs = false;
  std::string reason;  // why it waits
};

std::string name_of(const Given& given) {
  return given.task ? fmt::format("{}_{}", given.job_id, *given.task) : given.job_id;
}

std::map<std::string, Given> jobs_of_runs(const SweepFolder& folder) {
  const std::vector<SubmittedJob> jobs = load_jobs(folder);
  std::vector<std::string> ids;
  for (const SubmittedJob& job : jobs) ids.push_back(job.id);
  const std::vector<QueueEntry> queue =
      jobs.empty() || !have_slurm() ? std::vector<QueueEntry>{} : queue_of(ids);
  std::map<std::string, Given> runs;
  for (const SubmittedJob& job : jobs) {  // later jobs replace earlier ones
    for (std::size_t task = 0; task < job.tasks.size(); ++task) {
      Given given{.job_id = job.id, .task = {}, .active = false, .job_runs = false, .reason = ""};
      if (job.is_array) given.task = task;
      const auto entry = std::ranges::find_if(
          queue, [&](const QueueEntry& e) { return e.job_id == job.id && e.task == given.task; });
      if (entry != queue.end()) {
        given.active = true;
        given.job_runs = entry->state == "RUNNING" || entry->state == "COMPLETING";
        if (!given.job_runs) given.reason = entry->reason;
      }
      for (const std::string& run_id : job.tasks[task]) runs[run_id] = given;
    }
  }
  return runs;
}

RunStanding standing_of(const RunStatus& run, bool active, bool job_runs) {
  switch (run.state) {
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

// Why a run that no job is about to make is not there.
std::string reason_of(const SweepFolder& folder, const RunView& view, const Given* given) {
  if (!view.run.why.empty()) return view.run.why;
  std::string why = reason_in(folder.log(view.point.run_id));
  if (given == nullptr) return why;
  if (why.empty()) {
    const std::string out = given->task ? fmt::format("slurm-{}_{}.out", given->job_id, *given->task)
                                        : fmt::format("slurm-{}.out", given->job_id);
    why = reason_in(folder.state() / "log" / out);
  }
  const std::string end = end_state(given->job_id, given->task);
  if (end.empty() || end == "COMPLETED" || end == "FAILED") return why;
  return why.empty() ? end : end + ": " + why;
}

std::string line_of(const RunView& view, std::size_t width) {
  std::string line = fmt::format("  {:<11}  {:<{}}", standing_names[static_cast<std::size_t>(view.standing)],
                                 view.point.run_id, width);
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
  const std::map<std::string, Given> jobs = jobs_of_runs(plan.folder);
  const bool here = lock_holder(plan.folder).has_value();  // by sweep run or resume on this machine
  std::vector<RunView> views;
  for (const Point& point : points_so_far(plan)) {
    RunView view{.point = point,
                 .run = status_of(plan.folder, point),
                 .standing = RunStanding::missing,
                 .job = "",
                 .why = ""};
    const auto job = jobs.find(point.run_id);
    const Given* given = job == jobs.end() ? nullptr : &job->second;
    if (given != nullptr) view.job = name_of(*given);
    view.standing = standing_of(view.run, here || (given != nullptr && given->active),
                                here || (given != nullptr && given->job_runs));
    if (view.standing == RunStanding::waiting && given != nullptr) view.why = given->reason;
    if (view.standing == RunStanding::failed || view.standing == RunStanding::broken ||
        (view.standing == RunStanding::missing && given != nullptr))
      view.why = reason_of(plan.folder, view, given);
    views.push_back(std::move(view));
  }
  return views;
}

std::vector<Point> not_under_way(const Plan& plan, const std::vector<Point>& points) {
  const std::map<std::string, Given> jobs = jobs_of_runs(plan.folder);
  std::vector<Point> rest;
  std::ranges::copy_if(points, std::back_inserter(rest), [&](const Point& point) {
    const auto job = jobs.find(point.run_id);
    return job == jobs.end() || !job->second.active;
  });
  return rest;
}

std::string text_of(const Plan& plan, const std::vector<RunView>& views, bool all) {
  std::array<std::size_t, standing_names.size()> counts{};
  std::size_t width = 0;
  for (const RunView& view : views) {
    ++counts[static_cast<std::size_t>(view.standing)];
    width = std::max(width, view.point.run_id.size());
  }
  std::string text = fmt::format("{}: {} runs", plan.manifest.name, views.size());
  for (std::size_t i = 0; i < counts.size(); ++i)
    if (counts[i] > 0)
      text +=
          fmt::format("{} {} {}", i == 0 || text.ends_with("runs") ? ":" : ",", counts[i], standing_names[i]);
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
                   {"state", standing_names[static_cast<std::size_t>(view.standing)]},
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
