// SPDX-License-Identifier: BSD-3-Clause
// Numbers and decisions that an algorithm reports.
#pragma once

#include <string>

namespace lockstep::algorithms {

/// A number that an algorithm reports after each epoch; NaN if it has none.
struct Observation {
  std::string name, unit, description;
  bool per_rank = false;  ///< each rank has its own; else all have the same
  double value = 0.0;
};

/// Something that an algorithm decided for itself: what was to be decided, and how.
struct Choice {
  std::string name, decision;
};

}  // namespace lockstep::algorithms
