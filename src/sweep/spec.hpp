// SPDX-License-Identifier: BSD-3-Clause
// A sweep as its JSON file describes it, and the list of runs that it means. The file's keys are in
// docs/sweeps.md.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "sweep/point.hpp"

namespace lockstep::sweep {

/// Repeats of a point until its metric is known well enough.
struct Until {
  std::string metric;        ///< "" = as many repeats as `repeats` says; else a series, e.g. epoch_s
  double ci = 0.05;          ///< half the 95% interval of the median over the median
  std::size_t at_most = 10;  ///< repeats of a point
};

/// A sweep, checked: every key known, every point a configuration that train takes.
struct Spec {
  std::string name;   ///< names the folder of results
  std::string title;  ///< one sentence
  std::string scale;  ///< "full", or the variant of the file that was asked for, e.g. "smoke"
  std::size_t repeats = 1;
  Until until;
  Json text;  ///< the file as it was read
};

/// Reads the file in the variant `scale`. Throws ConfigError.
[[nodiscard]] Spec read_spec(const std::filesystem::path& path, const std::string& scale);

/// The runs, in the order of the file: matrix axes from the slowest to the fastest, then what is included.
[[nodiscard]] std::vector<Point> expand(const Spec& spec);

}  // namespace lockstep::sweep
