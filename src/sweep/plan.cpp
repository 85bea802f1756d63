// SPDX-License-Identifier: BSD-3-Clause
// Sweeps and their folders.
#include "sweep/plan.hpp"

#include <algorithm>
#include <cstdint>
#include <random>
#include <set>
#include <utility>

#include <fmt/format.h>

#include "core/error.hpp"
#include "core/json.hpp"
#include "core/text.hpp"
#include "sweep/estimate.hpp"

namespace lockstep::sweep {
namespace {

// FNV-1a: a seed that is the same everywhere.
std::uint32_t hash(const std::string& text) {
  std::uint32_t value = 2166136261U;
  for (const char c : text) value = (value ^ static_cast<unsigned char>(c)) * 16777619U;
  return value;
}

Json to_json(const Point& point) {
  return {{"run_id", point.run_id},  {"ranks", point.ranks},       {"nodes", point.nodes},
          {"repeat", point.repeat},  {"settings", point.settings}, {"estimate_s", point.estimate_s},
          {"cluster", point.cluster}};
}

Point point_from(const Json& json) {
  return {.run_id = json.at("run_id"),
          .ranks = json.at("ranks"),
          .nodes = json.at("nodes"),
          .cluster = json.value("cluster", ""),
          .repeat = json.at("repeat"),
          .settings = json.at("settings"),
          .estimate_s = json.at("estimate_s")};
}

std::set<std::string> ids_of(const std::vector<Point>& points) {
  std::set<std::string> ids;
  for (const Point& point : points) ids.insert(point.run_id);
  return ids;
}

// What `read` makes of the folder's manifest.
template <class Read>
auto from_manifest(const SweepFolder& folder, Read read) {
  const Json manifest = read_json(folder.manifest_file());
  try {
    return read(manifest);
  } catch (const Json::exception& failure) {
    throw Error({.what = folder.manifest_file().string() + " is no sweep's manifest", .got = failure.what()});
  }
}

std::vector<Point> points_in(const Json& manifest) {
  std::vector<Point> points;
  for (const Json& point : manifest.at("points")) points.push_back(point_from(point));
  return points;
}

std::optional<Simulation> simulation_in(const Json& manifest) {
  if (!manifest.contains("simulation")) return {};
  return simulation_from(manifest.at("simulation"));
}

// As errors say it.
std::string place_text(const std::optional<Simulation>& simulation) {
  return simulation
             ? fmt::format("runs simulated on {} with {}", simulation->file, simulation->identity.dump())
             : "real runs";
}

// Puts the points of the folder's manifest before the plan's.
void join_points(Plan& plan, bool extend) {
  check_same_cluster(plan.folder, from_manifest(plan.folder, simulation_in), plan.spec.simulation);
  std::vector<Point> all = from_manifest(plan.folder, points_in);
  const std::set<std::string> now = ids_of(plan.points), before = ids_of(all);
  const auto gone = std::ranges::count_if(before, [&](const std::string& id) { return !now.contains(id); });
  if (gone == 0) return;
  if (!extend)
    throw ConfigError({plan.folder.root().string() + " holds another sweep of this name",
                       fmt::format("all of its {} runs to be in {}", before.size(), plan.spec.path.string()),
                       fmt::format("{} of them are not there", gone),
                       "another \"name\" or --results; --extend keeps its runs and adds the new ones"});
  std::ranges::copy_if(plan.points, std::back_inserter(all),
                       [&](const Point& point) { return !before.contains(point.run_id); });
  plan.points = std::move(all);
}

}  // namespace

void PlanOptions::add_to(Arguments& command) {
  command.option("spec", spec_file, "the sweep's JSON file, e.g. jobs/experiments/first.json").required();
  command.option("--scale", scale, "full, or a variant of the file, e.g. smoke").shows_default();
  command.option("--results", results, "folder of results").shows_default().not_empty();
  command.flag("--extend", extend, "keep other runs that the folder holds, and add to them");
}

void FolderOptions::add_to(Arguments& command) {
  command.option("sweep", sweep, "the sweep's folder, its name, or an experiment's").required();
  command.option("--results", results, "folder of results, for a name").shows_default().not_empty();
}

void check_same_cluster(const SweepFolder& folder, const std::optional<Simulation>& before,
                        const std::optional<Simulation>& now) {
  if (before.has_value() == now.has_value() && (!before || before->identity == now->identity)) return;
  throw ConfigError(
      {folder.root().string() + " holds a sweep that was begun elsewhere", place_text(before),
       place_text(now),
       "sweep run FILE --site ... in a folder of its own: by another name of the cluster's file, or "
       "by --results"});
}

Plan make_plan(const PlanOptions& options, const Site& site) {
  Spec spec = read_spec(options.spec_file, options.scale);
  if (site.simulation) simulate_on(spec, *site.simulation);
  std::vector<Point> points = expand(spec);
  const SweepFolder folder(std::filesystem::path(options.results) / spec.name);
  (void)estimate_times(spec, points, site, folder.root());
  return {.folder = folder, .spec = std::move(spec), .points = std::move(points)};
}

Plan load_plan(const SweepFolder& folder) {
  return from_manifest(folder, [&](const Json& manifest) {
    const std::string spec_file = manifest.at("spec_file");
    Plan plan{.folder = folder,
              .spec = parse_spec(manifest.at("spec").dump(), spec_file, manifest.at("scale")),
              .points = points_in(manifest)};
    if (const auto simulation = simulation_in(manifest)) simulate_on(plan.spec, *simulation);
    return plan;
  });
}

void save_plan(Plan& plan, bool extend) {
  if (std::filesystem::exists(plan.folder.manifest_file())) join_points(plan, extend);
  make_folders(plan.folder);
  Json points = Json::array();
  for (const Point& point : plan.points) points.push_back(to_json(point));
  const Spec& spec = plan.spec;
  Json manifest = {{"name", spec.name},   {"title", spec.title},
                   {"scale", spec.scale}, {"spec_file", visible(spec.path.string())},
                   {"spec", spec.text},   {"points", std::move(points)}};
  if (spec.simulation) manifest["simulation"] = to_json(*spec.simulation);
  write_text(plan.folder.manifest_file(), manifest.dump(1) + "\n");
}

std::vector<Point> points_so_far(const Plan& plan) {
  std::vector<Point> points = plan.points;
  for (;;) {
    const std::vector<Point> more = due_repeats(plan.spec, points, plan.folder);
    if (more.empty()) return points;
    points.insert(points.end(), more.begin(), more.end());
  }
}

std::vector<Point> missing_points(const Plan& plan) {
  std::vector<Point> missing;
  for (const Point& point : points_so_far(plan)) {
    const RunStatus status = status_of(plan.folder, point);
    if (status.is_foreign)
      throw ConfigError({plan.folder.run_file(point.run_id).string() + " is no run of this sweep",
                         "a run of " + point.run_id, status.why,
                         "move it away, or give the sweep another name"});
    if (status.state != RunState::complete) missing.push_back(point);
  }
  return missing;
}

std::vector<Point> with_other_repeats(const Plan& plan, const std::vector<Point>& points) {
  if (plan.spec.until.metric.empty()) return points;
  std::set<std::string> groups;
  for (const Point& point : points) groups.insert(repeat_group(point));
  std::vector<Point> all = points_so_far(plan);
  std::erase_if(all, [&](const Point& point) { return !groups.contains(repeat_group(point)); });
  return all;
}

std::vector<Point> interleaved(std::vector<Point> points, const std::string& sweep_name) {
  std::mt19937 random(hash(sweep_name));
  std::ranges::shuffle(points, random);
  std::ranges::stable_sort(points, {}, &Point::repeat);
  return points;
}

}  // namespace lockstep::sweep
