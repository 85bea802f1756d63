// SPDX-License-Identifier: BSD-3-Clause
// Spread and packed jobs.
#include "sweep/slurm/submission.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdlib>
#include <map>
#include <set>
#include <utility>

#include <fmt/format.h>

#include "core/error.hpp"
#include "core/json.hpp"
#include "core/names.hpp"
#include "core/text.hpp"
#include "sweep/slurm/slurm.hpp"
#include "sweep/slurm_command.hpp"
#include "sweep/spec/duration.hpp"

namespace lockstep::sweep {
namespace {

namespace fs = std::filesystem;

// Estimates are rough: twice as much, and time to start and stop.
constexpr double margin = 2.0;
constexpr double overhead_s = 120.0;

// What they say is ours to check and to write into the scripts.
constexpr std::array<std::pair<const char*, std::string Site::*>, 4> used_variables = {
    {{"SBATCH_PARTITION", &Site::partition},
     {"SBATCH_ACCOUNT", &Site::account},
     {"SBATCH_QOS", &Site::qos},
     {"SBATCH_CONSTRAINT", &Site::constraint}}};

struct Shape {
  std::size_t ranks = 1, nodes = 1;
  auto operator<=>(const Shape&) const = default;  // NOLINT(modernize-use-nullptr): clang-tidy 14 errs
};

std::size_t cores_a_node(const Shape& shape, const Site& site) {
  return std::min((shape.ranks + shape.nodes - 1) / shape.nodes, site.cores_per_node);
}

Shape shape_of(const Point& point, const Site& site) {
  const std::string problem = fmt::format("the run {} does not fit the site {}", point.run_id, site.name);
  return {.ranks = point.ranks,
          .nodes = nodes_for(site, point.ranks, point.nodes, problem,
                             "leave it out by \"exclude\", or another --partition")};
}

double whole_minutes(double seconds) { return 60.0 * std::max(2.0, std::ceil(seconds / 60.0)); }

// The time limit of a job that takes `estimate_s` by the estimate.
double time_limit_s(double estimate_s, const SubmitOptions& options, const Site& site,
                    const std::string& what) {
  const double longest = parse_duration("time_limit", site.time_limit);
  const bool given = !options.time.empty();
  const double time_s = given ? parse_duration("--time", options.time)
                              : std::min(longest, whole_minutes(margin * estimate_s + overhead_s));
  if (time_s > longest)
    throw ConfigError(
        {"the time of " + what + " is too long", "at most " + duration_text(longest), duration_text(time_s),
         "another --partition or --site; or no more time, and --split to continue in later jobs"});
  const double least_s = estimate_s + signal_lead_s(time_s);
  if (options.split || time_s >= least_s) return time_s;
  throw ConfigError({"the time of " + what + " is too short",
                     duration_text(least_s) + " or more, by the estimate",
                     duration_text(time_s) +
                         (given ? "" : ", the most that the site " + site.name + " or its partition allows"),
                     "a longer --time; or --split, and runs stop at the limit and continue in the next job"});
}

std::vector<std::string> ids_of(const std::vector<Point>& points) {
  std::vector<std::string> ids;
  for (const Point& point : points) ids.push_back(point.run_id);
  return ids;
}

double estimate_of(const std::vector<Point>& points) {
  double sum_s = 0.0;
  for (const Point& point : points) sum_s += point.estimate_s;
  return sum_s;
}

// With `until`, the repeats of a setting are one task: it decides after each whether another is needed.
std::vector<std::vector<Point>> into_tasks(const std::vector<Point>& points, const Until& until) {
  if (!until.metric.empty()) return group_repeats(points);
  std::vector<std::vector<Point>> tasks;
  for (const Point& point : points) tasks.push_back({point});
  return tasks;
}

// One array of runs of a shape, `part` of several.
Job array_job(const Plan& plan, const Shape& shape, std::size_t part,
              std::span<const std::vector<Point>> tasks, const SubmitOptions& options, const Site& site) {
  Job job{
      .name = fmt::format("{}-n{}x{}{}", plan.spec.name, shape.ranks, shape.nodes,
                          part == 0 ? "" : fmt::format("-{}", part + 1)),
      .comment = fmt::format("Sweep {}, spread: {} of {} on {}.", plan.spec.name, plural(tasks.size(), "run"),
                             plural(shape.ranks, "rank"), plural(shape.nodes, "node")),
      .is_array = true,
      .nodes = shape.nodes,
      .cores = cores_a_node(shape, site),
      .at_once = options.at_once};
  double longest_s = 0.0;
  for (const std::vector<Point>& task : tasks) {
    job.tasks.push_back(ids_of(task));
    longest_s = std::max(longest_s, estimate_of(task));
  }
  job.time_s = time_limit_s(longest_s, options, site, "the runs of " + job.name);
  return job;
}

std::vector<Job> divide_spread(const Plan& plan, const std::vector<Point>& points,
                               const SubmitOptions& options, const Site& site) {
  std::map<Shape, std::vector<Point>> shapes;
  for (const Point& point : points) shapes[shape_of(point, site)].push_back(point);
  std::vector<Job> jobs;
  for (const auto& [shape, of_shape] : shapes) {
    const std::vector<std::vector<Point>> tasks = into_tasks(of_shape, plan.spec.until);
    for (std::size_t begin = 0, part = 0; begin < tasks.size(); begin += site.largest_array, ++part) {
      const std::size_t count = std::min(site.largest_array, tasks.size() - begin);
      jobs.push_back(array_job(plan, shape, part, std::span(tasks).subspan(begin, count), options, site));
    }
  }
  return jobs;
}

Job packed_job(const Plan& plan, const std::vector<Point>& points, const SubmitOptions& options,
               const Site& site) {
  Job job{.name = plan.spec.name};
  for (const Point& point : points) {
    const Shape shape = shape_of(point, site);
    job.nodes = std::max(job.nodes, shape.nodes);
    job.cores = std::max(job.cores, cores_a_node(shape, site));
  }
  job.tasks = {ids_of(interleaved(points, plan.spec.name))};
  job.comment = fmt::format("Sweep {}, packed: {}, one after another, on the first of {}.", plan.spec.name,
                            plural(points.size(), "run"), plural(job.nodes, "node"));
  job.time_s = time_limit_s(estimate_of(points), options, site, "the sweep");
  return job;
}

void keep_jobs(const SweepFolder& folder, const std::vector<Job>& jobs) {
  Json all = Json::array();
  for (const Job& job : jobs)
    all.push_back({{"id", job.id}, {"name", job.name}, {"is_array", job.is_array}, {"tasks", job.tasks}});
  write_text(folder.jobs_file(), all.dump(1) + "\n");
}

// The jobs that make runs and have not ended.
std::vector<std::string> active_ids(const std::vector<Job>& jobs) {
  std::set<std::string> ids;
  for (const QueueEntry& entry : queue_of(jobs)) {
    const auto job = std::ranges::find(jobs, entry.job_id, &Job::id);
    if (entry.is_active() && !job->tasks.empty()) ids.insert(entry.job_id);
  }
  return {ids.begin(), ids.end()};
}

// Submits script `number` of `count`.
std::string submit_one(const std::string& script, const SweepFolder& folder, std::size_t number,
                       std::size_t count) {
  try {
    return sbatch(script, folder.logs());
  } catch (const ConfigError& error) {
    if (number == 0) throw;
    throw ConfigError(
        {.what = error.what(),
         .hint = fmt::format("{} of {} jobs are submitted; sweep resume submits the others", number, count)});
  }
}

Json to_json(const SubmitOptions& o) {
  return {{"site", o.site},       {"mode", o.mode},       {"time", o.time},   {"partition", o.partition},
          {"account", o.account}, {"at_once", o.at_once}, {"split", o.split}, {"no_collect", o.no_collect}};
}

}  // namespace

void SubmitOptions::add_to(Arguments& command) {
  command.option("--site", site, "site of jobs/sites/, or a file").shows_default();
  command.option("--mode", mode, "packed: one allocation, for scaling; spread: job arrays, for many runs")
      .shows_default()
      .one_of({"packed", "spread"});
  command.option("--time", time,
                 "time limit of each job, as Slurm has it, e.g. H:MM:SS; without it by the estimate");
  command.option("--partition", partition, "instead of the site's; one or more: a,b");
  command.option("--account", account, "instead of the site's");
  command.option("--at-once", at_once, "spread: at most so many tasks of an array at the same time; 0: all")
      .shows_default();
  command.flag("--split", split, "runs that do not end in the time limit continue in the next job");
  command.flag("--no-collect", no_collect, "no job that sums up when the others have ended");
}

SubmitOptions submit_options(const Json& json) {
  return {.site = json.at("site"),
          .mode = json.at("mode"),
          .time = json.at("time"),
          .partition = json.at("partition"),
          .account = json.at("account"),
          .at_once = json.at("at_once"),
          .split = json.at("split"),
          .no_collect = json.at("no_collect")};
}

Site chosen_site(const SubmitOptions& options) {
  Site site = read_site(options.site);
  if (site.scheduler != "slurm")
    throw ConfigError({"the site " + site.name + " has no Slurm", "a site with \"scheduler\": \"slurm\"",
                       site.scheduler, "sweep run makes the runs on this machine"});
  // As Slurm has it: the command line, then SBATCH_*, then what is written.
  for (const auto& [variable, member] : used_variables)
    if (const char* value = std::getenv(variable); value != nullptr && *value != '\0') site.*member = value;
  if (!options.partition.empty()) site.partition = options.partition;
  if (!options.account.empty()) site.account = options.account;
  return site;
}

void note_unused_variables() {
  std::vector<std::string> names = variables_like("SBATCH_");
  std::erase_if(names, [](const std::string& name) {
    return std::ranges::any_of(used_variables, [&](const auto& used) { return name == used.first; });
  });
  if (!names.empty())
    fmt::print(stderr, "note: {} not used; options of sbatch are the site's \"sbatch_args\", or --time\n",
               join(names) + (names.size() == 1 ? " is" : " are"));
}

void complete(Site& site, bool ask_slurm) {
  if (ask_slurm) complete_from_slurm(site);
  if (site.cores_per_node == 0) site.cores_per_node = usable_cores();
}

std::vector<Job> divide(const Plan& plan, const std::vector<Point>& points, const SubmitOptions& options,
                        const Site& site) {
  if (points.empty()) return {};
  const std::vector<Point> all = with_other_repeats(plan, points);
  if (options.mode == "spread") return divide_spread(plan, all, options, site);
  return {packed_job(plan, all, options, site)};
}

std::vector<Job> load_jobs(const SweepFolder& folder) {
  std::vector<Job> jobs;
  if (!fs::exists(folder.jobs_file())) return jobs;
  for (const Json& job : read_json(folder.jobs_file()))
    jobs.push_back({.id = job.at("id"),
                    .name = job.at("name"),
                    .is_array = job.at("is_array"),
                    .tasks = job.at("tasks").get<std::vector<std::vector<std::string>>>()});
  return jobs;
}

std::vector<std::string> write_scripts(const Plan& plan, const std::vector<Job>& jobs, const Site& site,
                                       const fs::path& to) {
  fs::create_directories(to);
  // The scripts of an earlier submission stay: their jobs may still be running.
  std::size_t number = 0;
  for (const auto& entry : fs::directory_iterator(to))
    if (entry.path().extension() == ".sbatch") ++number;
  std::vector<std::string> scripts;
  for (const Job& job : jobs) {
    const std::string stem =
        fs::absolute(to / fmt::format("{}-{}", ++number, job.name)).lexically_normal().string();
    std::string list;
    for (const auto& task : job.tasks) list += join(task, " ") + "\n";
    write_text(stem + ".list", list);
    scripts.push_back(stem + ".sbatch");
    write_text(scripts.back(), job_script(job, site, plan.folder, stem + ".list"));
  }
  return scripts;
}

void remove_scripts(const fs::path& from) {
  std::vector<fs::path> ours;
  std::error_code none_yet;
  for (const auto& entry : fs::directory_iterator(from, none_yet))
    if (const fs::path kind = entry.path().extension(); kind == ".sbatch" || kind == ".list")
      ours.push_back(entry.path());
  for (const fs::path& path : ours) fs::remove(path);
}

void submit(Plan& plan, const std::vector<Point>& points, const SubmitOptions& options, bool extend) {
  Site site = chosen_site(options);
  note_unused_variables();
  complete(site, true);
  std::vector<Job> jobs = divide(plan, points, options, site);
  save_plan(plan, extend);
  const std::vector<std::string> scripts = write_scripts(plan, jobs, site, plan.folder.scripts());
  for (const std::string& script : scripts) sbatch_test(script);  // all or none
  write_text(plan.folder.submission_file(), to_json(options).dump(1) + "\n");

  std::vector<Job> known = load_jobs(plan.folder);
  std::vector<std::string> ids = active_ids(known);  // what is collected waits for them, too
  for (std::size_t i = 0; i < jobs.size(); ++i) {
    jobs[i].id = submit_one(scripts[i], plan.folder, i, jobs.size());
    ids.push_back(jobs[i].id);
    known.push_back(jobs[i]);
    keep_jobs(plan.folder, known);
    fmt::print("job {}: {}  {}\n", jobs[i].id, jobs[i].name, jobs[i].comment);
  }
  if (options.no_collect || ids.empty()) return;
  const fs::path collect = fs::absolute(plan.folder.scripts() / "collect.sbatch").lexically_normal();
  write_text(collect, collect_script(plan.spec.name, site, plan.folder));
  const std::string id = sbatch(collect, plan.folder.logs(), {"--dependency=afterany:" + join(ids, ":")});
  known.push_back({.id = id, .name = plan.spec.name + "-collect"});
  keep_jobs(plan.folder, known);
  fmt::print("job {}: {}-collect, after the others\n", id, plan.spec.name);
}

}  // namespace lockstep::sweep
