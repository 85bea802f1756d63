// SPDX-License-Identifier: BSD-3-Clause
// A point of a sweep: one run to be made.
#pragma once

#include <cstddef>
#include <string>

#include "core/json.hpp"

namespace lockstep::sweep {

/// The matrix products of a run, all ranks together: most of what it computes.
struct Work {
  double train_flop = 0.0;
  double test_flop = 0.0;
};

/// Where an estimate comes from.
enum class EstimateSource {
  work,      ///< the matrix products, at the site's rate
  measured,  ///< complete runs that differ in the seed at most
  given,     ///< `time` in the sweep's file
};

/// One run: what it trains, and on how many ranks and nodes.
struct Point {
  /// Names the run file. It depends on settings, ranks and nodes alone, so that a sweep that is expanded
  /// again finds its runs.
  std::string run_id;
  std::size_t ranks = 1;
  std::size_t nodes = 0;           ///< 0: the fewest that hold the ranks
  std::size_t repeat = 0;          ///< counts the runs that differ in the seed alone: 0, 1, ...
  Json settings = Json::object();  ///< configuration keys with their values, seed and experiment included
  Work work;
  double estimate_s = 0.0;  ///< expected wall time; estimate_times() fills it in
  EstimateSource estimate_source = EstimateSource::work;
};

}  // namespace lockstep::sweep
