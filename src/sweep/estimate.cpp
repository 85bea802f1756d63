// SPDX-License-Identifier: BSD-3-Clause
// How long the runs of a sweep will take.
#include "sweep/estimate.hpp"

#include <optional>
#include <unordered_map>

#include "core/error.hpp"
#include "record/run_file.hpp"
#include "sweep/run_state.hpp"
#include "sweep/spec/until.hpp"

namespace lockstep::sweep {
namespace {

constexpr double start_s = 1.0;  // launcher, MPI_Init, data

// What is known of a run that may be complete.
struct Past {
  bool is_complete = false;
  std::optional<double> time_s = {};  // that it took here
};

Past past_of(const std::filesystem::path& run_file, bool is_simulated) {
  if (!std::filesystem::exists(run_file)) return {};
  try {
    const record::RunRecord run = record::read_run_file(run_file);
    if (run.status != "complete") return {};
    Past past{.is_complete = true, .time_s = is_simulated ? dated_s(run) : metric_of(run, "wall_clock_s")};
    if (past.time_s) *past.time_s += start_s;
    return past;
  } catch (const Error&) {  // damaged: it is made again
    return {};
  }
}

}  // namespace

Forecast estimate_times(const Spec& spec, std::vector<Point>& points, const Site& site,
                        const std::filesystem::path& folder) {
  Forecast forecast{.complete = {}, .rate_gflops = site.gflops_per_core, .cores = 0};
  if (site.simulation)
    forecast.cores = 1;
  else if (site.scheduler == "none")
    forecast.cores = site.cores_per_node != 0 ? site.cores_per_node : usable_cores();
  std::unordered_map<std::string, std::vector<double>> siblings;  // by repeat_group
  for (Point& point : points) {
    point.estimate_source = site.simulation ? EstimateSource::unknown : EstimateSource::work;
    if (!site.simulation)
      point.estimate_s =
          start_s + point.flop / (1e9 * site.gflops_per_core * static_cast<double>(forecast.cores_of(point)));
    const Past past = past_of(folder / (point.run_id + ".h5"), site.simulation.has_value());
    if (past.is_complete) forecast.complete.insert(point.run_id);
    if (!past.time_s) continue;
    point.estimate_source = EstimateSource::measured;
    point.estimate_s = *past.time_s;
    siblings[repeat_group(point)].push_back(point.estimate_s);
  }
  for (Point& point : points) {
    if (spec.time_s > 0.0) {
      point.estimate_source = EstimateSource::given;
      point.estimate_s = spec.time_s;
    } else if (!siblings.empty() && point.estimate_source != EstimateSource::measured) {
      const auto at = siblings.find(repeat_group(point));
      if (at == siblings.end()) continue;
      point.estimate_source = EstimateSource::measured;
      point.estimate_s = median(at->second);
    }
  }
  return forecast;
}

}  // namespace lockstep::sweep
