// SPDX-License-Identifier: BSD-3-Clause
// How long the runs of a sweep will take.
#include "sweep/estimate.hpp"

#include <algorithm>
#include <optional>
#include <unordered_map>

#include "record/run_file.hpp"
#include "sweep/spec/until.hpp"

namespace lockstep::sweep {
namespace {

constexpr double start_s = 1.0;  // launcher, MPI_Init, data

// Wall time of a complete run from the launch on; none for others.
std::optional<double> measured_s(const std::filesystem::path& path) {
  if (!std::filesystem::exists(path)) return {};
  const record::RunRecord run = record::read_run_file(path);
  if (run.status != "complete") return {};
  const auto wall_s = metric_of(run, "wall_clock_s");
  if (!wall_s) return {};
  return *wall_s + start_s;
}

}  // namespace

Forecast estimate_times(const Spec& spec, std::vector<Point>& points, const Site& site,
                        const std::filesystem::path& folder) {
  Forecast forecast{.complete = {}, .rate_gflops = site.gflops_per_core, .cores = 0};
  if (site.scheduler == "none")
    forecast.cores = site.cores_per_node != 0 ? site.cores_per_node : usable_cores();
  std::unordered_map<std::string, std::vector<double>> siblings;  // by what repeats have in common
  const bool any = std::filesystem::is_directory(folder);
  for (Point& point : points) {
    point.estimate_source = EstimateSource::work;
    point.estimate_s =
        start_s + (point.work.train_flop + point.work.test_flop) /
                      (1e9 * site.gflops_per_core * static_cast<double>(forecast.cores_of(point)));
    if (!any) continue;
    const auto own_s = measured_s(folder / (point.run_id + ".h5"));
    if (!own_s) continue;
    forecast.complete.insert(point.run_id);
    siblings[repeat_group(point)].push_back(*own_s);
    point.estimate_source = EstimateSource::measured;
    point.estimate_s = *own_s;
  }
  for (Point& point : points) {
    if (spec.time_s > 0.0) {
      point.estimate_source = EstimateSource::given;
      point.estimate_s = spec.time_s;
    } else if (!siblings.empty() && point.estimate_source == EstimateSource::work) {
      const auto at = siblings.find(repeat_group(point));
      if (at == siblings.end()) continue;
      point.estimate_source = EstimateSource::measured;
      point.estimate_s = median(at->second);
    }
  }
  return forecast;
}

}  // namespace lockstep::sweep
