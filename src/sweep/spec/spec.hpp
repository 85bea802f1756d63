// SPDX-License-Identifier: BSD-3-Clause
// A sweep as its JSON file describes it, and the list of runs that it means. The file's keys are in
// docs/sweeps.md.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "core/json.hpp"
#include "sweep/spec/point.hpp"

namespace lockstep::sweep {

/// More runs of the same settings until a metric is known well enough.
struct Until {
  std::string metric;        ///< "" = as many repeats as there are seeds; else a row of metrics(): until.hpp
  double ci = 0.05;          ///< half the 95% interval of the median over the median
  std::size_t at_most = 20;  ///< repeats of a point
};

/// Settings that advance together: values[i][j] is the value of keys[j] at the axis's i-th place.
struct Axis {
  std::vector<std::string> keys;
  std::vector<std::vector<Json>> values;
};

/// A sweep as its file says it, in one variant: every key known, every value one that its key takes.
struct Spec {
  std::filesystem::path path;  ///< of the file
  std::string name;            ///< names the folder of results: that of the file, with "-SCALE" for a variant
  std::string title;           ///< one sentence
  std::string scale;           ///< "full", or the variant of the file that was asked for, e.g. "smoke"
  std::size_t repeats = 1;     ///< as many as `seeds`
  std::vector<std::uint32_t> seeds;
  Until until;
  double time_s = 0.0;                ///< wall time of each run; 0: estimated
  bool weak = false;                  ///< data, and shared batches, grow with the ranks
  bool linear_learning_rate = false;  ///< weak: so does the rate where the batch does

  Json fixed = Json::object();
  std::vector<Axis> axes;            ///< matrix, then zip: from the slowest to the fastest
  std::vector<Json> include;         ///< objects whose values may be lists
  std::vector<Json> exclude;         ///< the same
  std::size_t excludes_of_file = 0;  ///< the first of these may be without effect: a variant has fewer runs

  Json text;  ///< the file as it was read
};

/// Reads the file in the variant `scale`. Throws ConfigError.
[[nodiscard]] Spec read_spec(const std::filesystem::path& path, const std::string& scale);
/// The same of a text; `path` names it in errors, and the sweep if it does not do so itself.
[[nodiscard]] Spec parse_spec(const std::string& text, const std::filesystem::path& path,
                              const std::string& scale);

/// "full" and the names of the file's variants.
[[nodiscard]] std::vector<std::string> scales_of(const Spec& spec);

/// The runs of a sweep, and what is worth telling of them.
struct Expansion {
  std::vector<Point> points;
  std::vector<std::string> notes;
};

/// Every run is a configuration that train takes on that many ranks; else ConfigError. Order: all settings
/// with the first seed, then with the next; of each seed the axes from the slowest to the fastest, then what
/// is included. Runs that differ in nothing are one.
[[nodiscard]] Expansion expand_with_notes(const Spec& spec);
[[nodiscard]] std::vector<Point> expand(const Spec& spec);

/// A text that points have in common which differ in the seed alone.
[[nodiscard]] std::string repeat_group(const Point& point);

/// The seed of a repeat, 0, 1, ...: the sweep's seeds, then the whole numbers after the largest of them.
[[nodiscard]] std::uint32_t seed_of(const Spec& spec, std::size_t repeat);

/// A run as `point` with another repeat's seed, and the run id that goes with it. Throws ConfigError.
[[nodiscard]] Point with_repeat(const Spec& spec, const Point& point, std::size_t repeat);

}  // namespace lockstep::sweep
