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
  std::set<std::string> complete;  ///< run ids of those that are complete in the folder
  double rate_gflops = 0.0;        ///< of a core, that the work was divided by
  std::size_t cores = 0;           ///< that ranks share where there are more of them; 0: each has its own

  /// Cores that a run keeps busy.
  [[nodiscard]] std::size_t cores_of(const Point& point) const {
    return cores == 0 ? point.ranks : std::min(point.ranks, cores);
  }
};

/// Fills in estimate_s and estimate_source of the points. A run takes, in this order:
///   given:    the sweep's `time`;
///   measured: what it took itself if it is complete in `folder` (the sweep's own), else the median of the
///             complete runs that differ from it in the seed alone;
///   work:     the floating-point operations of its matrix products, training and evaluation, over the
///             ranks at the site's rate for a core (without a scheduler, no more cores than this machine
///             has), and a second to start. What is exchanged, and waiting, is not counted.
Forecast estimate_times(const Spec& spec, std::vector<Point>& points, const Site& site,
                        const std::filesystem::path& folder);

}  // namespace lockstep::sweep
