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
#include "sweep/estimate.hpp"

namespace lockstep::sweep {
namespace {

// FNV-1a: a seed that is the same everywhere.
std::uint32_t hash(const std::string& text) {
  std::uint32_t value = 2166136261U;
  for (const char c : text) value = (value ^ static_cast<unsigned char>(c)) * 16777619U;
  return value;
}

}  // namespace

void PlanOptions::add_to(Arguments& command) {
  command.option("spec", spec_file, "the sweep's JSON file, e.g. jobs/experiments/first.json").required();
  command.option("--scale", scale, "full, or a variant of the file, e.g. smoke").shows_default();
  command.option("--results", results, "folder of results").shows_default();
  command.flag("--extend", extend, "keep other runs that the folder holds, and add to them");
}

Plan make_plan(const PlanOptions& options, const Site& site) {
  Spec spec = read_spec(options.spec_file, options.scale);
  Manifest manifest{.name = spec.name,
                    .title = spec.title,
                    .scale = spec.scale,
                    .spec_file = options.spec_file,
                    .spec = spec.text,
                    .points = expand(spec)};
  Plan plan{.folder = SweepFolder(std::filesystem::path(options.results) / spec.name),
            .manifest = std::move(manifest),
            .spec = std::move(spec)};
  (void)estimate_times(plan.spec, plan.manifest.points, site, plan.folder.root());
  return plan;
}

Plan load_plan(const SweepFolder& folder) {
  Manifest manifest = load_manifest(folder);
  Spec spec = parse_spec(manifest.spec.dump(), manifest.spec_file, manifest.scale);
  return {.folder = folder, .manifest = std::move(manifest), .spec = std::move(spec)};
}

std::vector<Point> points_so_far(const Plan& plan) {
  std::vector<Point> points = plan.manifest.points;
  for (;;) {
    const std::vector<Point> more = due_repeats(plan.spec, points, plan.folder);
    if (more.empty()) return points;
    points.insert(points.end(), more.begin(), more.end());
  }
}

std::vector<RunStatus> checked_states(const Plan& plan, const std::vector<Point>& points) {
  std::vector<RunStatus> states;
  for (const Point& point : points) {
    states.push_back(status_of(plan.folder, point));
    if (states.back().state == RunState::foreign)
      throw ConfigError({plan.folder.run_file(point.run_id).string() + " is no run of this sweep",
                         "a run of " + point.run_id, states.back().why,
                         "move it away, or give the sweep another name"});
  }
  return states;
}

std::vector<Point> missing_points(const Plan& plan) {
  const std::vector<Point> points = points_so_far(plan);
  const std::vector<RunStatus> states = checked_states(plan, points);
  std::vector<Point> missing;
  for (std::size_t i = 0; i < points.size(); ++i)
    if (states[i].state != RunState::complete) missing.push_back(points[i]);
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
