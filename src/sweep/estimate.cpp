// SPDX-License-Identifier: BSD-3-Clause
// How long the runs of a sweep will take.
#include "sweep/estimate.hpp"

#include <unordered_map>

#include "sweep/spec/until.hpp"

namespace lockstep::sweep {
namespace {

constexpr double start_s = 1.0;  // launcher, MPI_Init, data

}  // namespace

Forecast estimate_times(const Spec& spec, std::vector<Point>& points, const Site& site,
                        const std::filesystem::path& folder) {
  Forecast forecast{.complete = {}, .rate_gflops = site.gflops_per_core, .cores = 0};
  if (site.scheduler == "none")
    forecast.cores = site.cores_per_node != 0 ? site.cores_per_node : usable_cores();
  std::unordered_map<std::string, std::vector<double>> siblings;  // by repeat_group
  for (Point& point : points) {
    point.estimate_source = EstimateSource::work;
    point.estimate_s =
        start_s + point.flop / (1e9 * site.gflops_per_core * static_cast<double>(forecast.cores_of(point)));
    const auto wall_s = metric_of_complete(folder / (point.run_id + ".h5"), "wall_clock_s");
    if (!wall_s) continue;
    forecast.complete.insert(point.run_id);
    point.estimate_source = EstimateSource::measured;
    point.estimate_s = *wall_s + start_s;
    siblings[repeat_group(point)].push_back(point.estimate_s);
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
