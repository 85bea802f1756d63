// SPDX-License-Identifier: BSD-3-Clause
// A point of a sweep: one run to be made.
#pragma once

#include <cstddef>
#include <string>

#include "core/fields.hpp"

namespace lockstep::sweep {

/// One run: what it trains, and on how many ranks and nodes.
struct Point {
  /// Names the run file. A function of what is below, so that whoever expands a sweep again finds its runs.
  std::string run_id;
  std::size_t ranks = 1;
  std::size_t nodes = 0;           ///< 0: as few as hold the ranks
  std::size_t repeat = 0;          ///< counts the runs that differ in the seed alone
  Json settings = Json::object();  ///< configuration keys with their values, seed and experiment included
  double estimate_s = 0.0;         ///< wall time that it is expected to take
};

}  // namespace lockstep::sweep
