// SPDX-License-Identifier: BSD-3-Clause
// How long the runs of a sweep will take.
#pragma once

#include <algorithm>
#include <cstddef>
#include <filesystem>
#include <set>
#include <string>
#include <vector>

#include "sweep/site.hpp"
#include "sweep/spec/spec.hpp"

namespace lockstep::sweep {

/// What is known of a sweep's runs before they are made.
struct Forecast {
  std::set<std::string> complete;  ///< ids of the runs that are complete in the folder
  double rate_gflops = 0.0;        ///< of a core, for estimates by work
  std::size_t cores = 0;           ///< that all ranks of a run share; 0: each rank has its own

  /// Cores that a run keeps busy.
  [[nodiscard]] std::size_t cores_of(const Point& point) const {
    return cores == 0 ? point.ranks : std::min(point.ranks, cores);
  }
};

/// Fills in estimate_s and estimate_source of the points, by the first of these that is known:
///   given:    the sweep's `time`;
///   measured: the run's own time if it is complete in `folder` (the sweep's own), else the median of the
///             complete runs that differ from it in the seed alone;
///   work:     the floating-point operations of its matrix products, training and evaluation, divided by the
///             ranks and by the site's rate for a core (without a scheduler, by no more cores than this
///             machine has), plus a second to start. Communication and waiting are not counted.
/// The time is that of this machine: simulated runs are measured by the dates of their files, or unknown.
Forecast estimate_times(const Spec& spec, std::vector<Point>& points, const Site& site,
                        const std::filesystem::path& folder);

}  // namespace lockstep::sweep
