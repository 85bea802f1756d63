// SPDX-License-Identifier: BSD-3-Clause
// Spread and packed jobs.
#include "sweep/slurm/submission.hpp"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <map>
#include <numeric>

#include <fmt/format.h>

#include "core/error.hpp"
#include "core/json.hpp"
#include "core/names.hpp"
#include "sweep/process.hpp"
#include "sweep/spec/duration.hpp"
#include "sweep/spec/until.hpp"

namespace lockstep::sweep {
namespace {

namespace fs = std::filesystem;

// Estimates are rough: twice as much, and time to start and stop.
constexpr double margin = 2.0;
constexpr double overhead_s = 120.0;

struct Shape {
  std::size_t ranks = 1, nodes = 1;
  auto operator<=>(const Shape&) const = default;
};

std::size_t ranks_a_node(const Shape& shape) { return (shape.ranks + shape.nodes - 1) / shape.nodes; }

Shape shape_of(const Point& point, const Site& site) {
  const std::size_t most = site.nodes != 0 ? site.nodes : point.ranks;
  const std::size_t fitting = (point.ranks + site.cores_per_node - 1) / site.cores_per_node;
  std::size_t nodes = point.nodes != 0 ? point.nodes : fitting;
  if (point.nodes == 0 && site.oversubscribe) nodes = std::min(nodes, most);
  const auto refuse = [&](const std::string& hint) {
    throw ConfigError({fmt::format("the run {} does not fit the site {}", point.run_id, site.name),
                       fmt::format("at most {} nodes of {} cores", most, site.cores_per_node),
                       fmt::format("{} ranks on {} nodes", point.ranks, nodes), hint});
  };
  if (nodes < fitting && !site.oversubscribe) refuse("more nodes, or fewer ranks");
  if (nodes > most) refuse("leave it out by \"exclude\", or another --partition");
  if (nodes > point.ranks) refuse("at least one rank a node");
  return {.ranks = point.ranks, .nodes = nodes};
}

double whole_minutes(double seconds) { return 60.0 * std::max(2.0, std::ceil(seconds / 60.0)); }

// The time limit of a job that needs `estimate_s` by the estimate.
double time_limit_s(double estimate_s, const SubmitOptions& options, const Site& site,
                    const std::string& what) {
  const double longest = parse_duration("time_limit", site.time_limit);
  const bool given = !options.time.empty();
  const double time_s = given ? parse_duration("--time", options.time)
                              : std::min(longest, whole_minutes(margin * estimate_s + overhead_s));
  if (time_s > longest)
    throw ConfigError(
        {"the time of " + what + " is too long", "at most " + duration_text(longest), duration_text(time_s),
         "another --partition or --site; or that time with --split, and runs go on in the next job"});
  if (options.split || time_s >= estimate_s + signal_lead_s(time_s)) return time_s;
  throw ConfigError(
      {fmt::format("the time of {} is too short", what),
       fmt::format("{} and more, by the estimate", duration_text(estimate_s + signal_lead_s(time_s))),
       duration_text(time_s) +
           (given ? "" : ", the most that the site " + site.name + " or its partition gives"),
       "--split lets runs stop at the limit and go on in the next job; or a longer --time"});
}

std::string job_name(const Plan& plan, const Shape& shape, std::size_t part) {
  return fmt::format("{}-n{}x{}{}", plan.manifest.name, shape.ranks, shape.nodes,
                     part == 0 ? "" : fmt::format("-{}", part + 1));
}

// Repeats that may turn out not to be needed are one task: it knows when to end.
std::vector<std::vector<Point>> into_tasks(const std::vector<Point>& points, bool together) {
  std::vector<std::vector<Point>> tasks;
  std::map<std::string, std::size_t> known;
  for (const Point& point : points) {
    const auto [at, is_new] = known.emplace(together ? repeat_group(point) : point.run_id, tasks.size());
    if (is_new) tasks.emplace_back();
    tasks[at->second].push_back(point);
  }
  return tasks;
}

std::vector<std::string> ids_of(const std::vector<Point>& points) {
  std::vector<std::string> ids;
  for (const Point& point : points) ids.push_back(point.run_id);
  return ids;
}

double estimate_of(const std::vector<Point>& points) {
  return std::accumulate(points.begin(), points.end(), 0.0,
                         [](double sum, const Point& p) { return sum + p.estimate_s; });
}

std::vector<Job> divide_spread(const Plan& plan, const std::vector<Point>& points,
                               const SubmitOptions& options, const Target& target) {
  const Site& site = target.site;
  std::map<Shape, std::vector<Point>> shapes;
  for (const Point& point : points) shapes[shape_of(point, site)].push_back(point);
  std::vector<Job> jobs;
  for (const auto& [shape, of_shape] : shapes) {
    const auto tasks = into_tasks(of_shape, !plan.spec.until.metric.empty());
    for (std::size_t begin = 0, part = 0; begin < tasks.size(); begin += target.largest_array, ++part) {
      Job job;
      double longest_s = 0.0;
      for (std::size_t i = begin; i < std::min(begin + target.largest_array, tasks.size()); ++i) {
        job.tasks.push_back(ids_of(tasks[i]));
        longest_s = std::max(longest_s, estimate_of(tasks[i]));
      }
      job.request = {
          .name = job_name(plan, shape, part),
          .comment = fmt::format("Sweep {}, spread: {} run{} of {} rank{} on {} node{}.", plan.manifest.name,
                                 job.tasks.size(), job.tasks.size() == 1 ? "" : "s", shape.ranks,
                                 shape.ranks == 1 ? "" : "s", shape.nodes, shape.nodes == 1 ? "" : "s"),
          .nodes = shape.nodes,
          .cores = std::min(ranks_a_node(shape), site.cores_per_node),
          .tasks = job.tasks.size(),
          .at_once = options.at_once,
          .time_s = time_limit_s(longest_s, options, site, "the runs of " + job_name(plan, shape, part)),
          .exclusive = false,
          .list_file = ""};
      jobs.push_back(std::move(job));
    }
  }
  return jobs;
}

std::vector<Job> divide_packed(const Plan& plan, const std::vector<Point>& points,
                               const SubmitOptions& options, const Site& site) {
  std::size_t nodes = 1, cores = 1;
  for (const Point& point : points) {
    const Shape shape = shape_of(point, site);
    nodes = std::max(nodes, shape.nodes);
    cores = std::max(cores, ranks_a_node(shape));
  }
  Job job;
  job.tasks = {ids_of(interleaved(points, plan.manifest.name))};
  job.request = {
      .name = plan.manifest.name,
      .comment = fmt::format("Sweep {}, packed: {} runs, one after another, on the first of {} node{}.",
                             plan.manifest.name, points.size(), nodes, nodes == 1 ? "" : "s"),
      .nodes = nodes,
      .cores = std::min(cores, site.cores_per_node),
      .tasks = 0,
      .at_once = 0,
      .time_s = time_limit_s(estimate_of(points), options, site, "the sweep"),
      .exclusive = true,
      .list_file = ""};
  return {job};
}

void keep_jobs(const SweepFolder& folder, const std::vector<SubmittedJob>& jobs) {
  Json all = Json::array();
  for (const SubmittedJob& job : jobs)
    all.push_back({{"id", job.id}, {"name", job.name}, {"is_array", job.is_array}, {"tasks", job.tasks}});
  write_text(folder.jobs_file(), all.dump(1) + "\n");
}

}  // namespace

void SubmitOptions::add_to(Arguments& command) {
  command.option("--site", site, "site of jobs/sites/, or a file").shows_default();
  command.option("--mode", mode, "packed: one allocation, for scaling; spread: job arrays, for many runs")
      .shows_default()
      .one_of({"packed", "spread"});
  command.option("--time", time, "time limit of each job, H:MM:SS; from the estimate when absent");
  command.option("--partition", partition, "instead of the site's");
  command.option("--account", account, "instead of the site's");
  command.option("--at-once", at_once, "spread: at most so many tasks of an array at the same time; 0: all")
      .shows_default();
  command.flag("--split", split, "what does not end in the time limit goes on in the next job");
  command.flag("--no-collect", no_collect, "no job that sums up when the others have ended");
}

Json to_json(const SubmitOptions& o) {
  return {{"site", o.site},       {"mode", o.mode},       {"time", o.time},   {"partition", o.partition},
          {"account", o.account}, {"at_once", o.at_once}, {"split", o.split}, {"no_collect", o.no_collect}};
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
  if (!options.partition.empty()) site.partition = options.partition;
  if (!options.account.empty()) site.account = options.account;
  return site;
}

Target target_of(const SubmitOptions& options, bool ask_slurm) {
  Target target{.site = chosen_site(options)};
  Site& site = target.site;
  if (ask_slurm) {
    const ClusterSize size = cluster_size(site.partition);
    if (site.nodes == 0) site.nodes = size.nodes;
    if (site.cores_per_node == 0) site.cores_per_node = size.cores_per_node;
    if (size.longest_s > 0.0 && size.longest_s < parse_duration("time_limit", site.time_limit))
      site.time_limit = duration_text(size.longest_s);
    target.largest_array = max_array_size();
  }
  if (site.cores_per_node == 0) site.cores_per_node = usable_cores();
  return target;
}

std::vector<Job> divide(const Plan& plan, const std::vector<Point>& points, const SubmitOptions& options,
                        const Target& target) {
  if (points.empty()) return {};
  const std::vector<Point> all = with_other_repeats(plan, points);
  return options.mode == "spread" ? divide_spread(plan, all, options, target)
                                  : divide_packed(plan, all, options, target.site);
}

std::vector<SubmittedJob> load_jobs(const SweepFolder& folder) {
  std::vector<SubmittedJob> jobs;
  if (!fs::exists(folder.jobs_file())) return jobs;
  for (const Json& job : read_json(folder.jobs_file()))
    jobs.push_back({.id = job.at("id"),
                    .name = job.at("name"),
                    .is_array = job.at("is_array"),
                    .tasks = job.at("tasks").get<std::vector<std::vector<std::string>>>()});
  return jobs;
}

std::vector<std::string> write_scripts(const Plan& plan, std::vector<Job>& jobs, const Site& site,
                                       const fs::path& to) {
  fs::create_directories(to);
  // Those of an earlier submission stay: their jobs may still be running.
  std::size_t number = 0;
  for (const auto& entry : fs::directory_iterator(to))
    if (entry.path().extension() == ".sbatch") ++number;
  std::vector<std::string> scripts;
  for (Job& job : jobs) {
    const fs::path stem =
        fs::absolute(to / fmt::format("{}-{}", ++number, job.request.name)).lexically_normal();
    job.request.list_file = stem.string() + ".list";
    std::string list;
    for (const auto& task : job.tasks) list += join(task, " ") + "\n";
    write_text(job.request.list_file, list);
    scripts.push_back(stem.string() + ".sbatch");
    write_text(scripts.back(), job_script(job.request, site, plan.folder));
  }
  return scripts;
}

void submit(Plan& plan, const std::vector<Point>& points, const SubmitOptions& options, bool extend) {
  const Target target = target_of(options, true);
  const Site& site = target.site;
  std::vector<Job> jobs = divide(plan, points, options, target);
  save_manifest(plan.folder, plan.manifest, extend);
  const std::vector<std::string> scripts = write_scripts(plan, jobs, site, plan.folder.scripts());
  for (const std::string& script : scripts) sbatch_test(script);  // all or none
  write_text(plan.folder.submission_file(), to_json(options).dump(1) + "\n");

  std::vector<SubmittedJob> known = load_jobs(plan.folder);
  std::vector<std::string> ids;
  for (std::size_t i = 0; i < jobs.size(); ++i) {
    ids.push_back(sbatch(scripts[i]));
    known.push_back({.id = ids.back(),
                     .name = jobs[i].request.name,
                     .is_array = jobs[i].request.tasks > 0,
                     .tasks = jobs[i].tasks});
    keep_jobs(plan.folder, known);
    fmt::print("job {}: {}  {}\n", ids.back(), jobs[i].request.name, jobs[i].request.comment);
  }
  if (options.no_collect || ids.empty()) return;
  const fs::path collect = plan.folder.scripts() / "collect.sbatch";
  write_text(collect, collect_script(plan.manifest.name, site, plan.folder));
  const std::string id = sbatch(collect, {"--dependency=afterany:" + join(ids, ":")});
  known.push_back({.id = id, .name = plan.manifest.name + "-collect", .is_array = false, .tasks = {}});
  keep_jobs(plan.folder, known);
  fmt::print("job {}: {}-collect, after the others\n", id, plan.manifest.name);
}

}  // namespace lockstep::sweep
