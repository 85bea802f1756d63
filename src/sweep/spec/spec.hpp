// SPDX-License-Identifier: BSD-3-Clause
// A sweep as its JSON file describes it, and its runs. docs/sweeps.md explains the file.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "core/json.hpp"
#include "sweep/spec/simulation.hpp"

namespace lockstep::sweep {

/// More runs of the same settings until a metric is known well enough.
struct Until {
  std::string metric;        ///< one of metric_names(), see until.hpp; "": no more repeats than seeds
  double ci = 0.05;          ///< half the 95% interval of the median, over the median
  std::size_t at_most = 20;  ///< repeats of a point
};

/// Settings that advance together: values[i][j] is the value of keys[j] at the axis's i-th place.
struct Axis {
  std::vector<std::string> keys;
  std::vector<std::vector<Json>> values;
};

/// A sweep as its file describes it, in one variant: every key is known, and every value suits its key.
struct Spec {
  std::filesystem::path path;  ///< of the file
  /// Of the folder of results: the file's, with "-SCALE" for a variant, and the end of a simulation.
  std::string name;
  std::string title;                 ///< one sentence
  std::string scale;                 ///< "full", or a variant of the file, e.g. "smoke"
  std::vector<std::uint32_t> seeds;  ///< one for each repeat
  Until until;
  double time_s = 0.0;                   ///< wall time of each run; 0: estimated
  bool weak = false;                     ///< data and shared batches grow with the ranks
  bool linear_learning_rate = false;     ///< weak: where the batch grows, so does the learning rate
  std::optional<Simulation> simulation;  ///< of its runs; none: they are real

  Json fixed = Json::object();
  std::vector<Axis> axes;                  ///< matrix, then zip: from the slowest to the fastest
  std::vector<std::vector<Axis>> include;  ///< the axes of each entry
  std::vector<Json> exclude;               ///< objects whose values are lists
  std::size_t excludes_of_file = 0;  ///< so many of the first may match no run: a variant has fewer runs

  Json text;  ///< the file as it was read
};

/// Reads the file in the variant `scale`. Throws ConfigError.
[[nodiscard]] Spec read_spec(const std::filesystem::path& path, const std::string& scale);
/// The same for a text; `path` names it in errors, and names the sweep if the text does not.
[[nodiscard]] Spec parse_spec(const std::string& text, const std::filesystem::path& path,
                              const std::string& scale);

/// Makes the spec one of simulated runs. Their results have a folder, and names, of their own.
void simulate_on(Spec& spec, const Simulation& simulation);

/// Where an estimate comes from.
enum class EstimateSource {
  work,      ///< the matrix products, at the site's rate
  measured,  ///< complete runs that differ in the seed at most
  given,     ///< `time` in the sweep's file
  unknown,   ///< simulated, and no such run is complete: how long it takes is not a matter of work alone
};

/// One run: what it trains, and on how many ranks and nodes.
struct Point {
  /// Names the run file. It depends on settings, ranks and nodes alone, so that a sweep that is expanded
  /// again finds its runs.
  std::string run_id;
  std::size_t ranks = 1;
  std::size_t nodes = 0;           ///< 0: the fewest that hold the ranks
  std::string cluster = {};        ///< that it is simulated on; "": it is real
  std::size_t repeat = 0;          ///< counts the runs that differ in the seed alone: 0, 1, ...
  Json settings = Json::object();  ///< configuration keys with their values, seed and experiment included
  double flop = 0.0;               ///< of its matrix products, all ranks together
  double estimate_s = 0.0;         ///< expected wall time here; 0: unknown. estimate_times() fills it in
  EstimateSource estimate_source = EstimateSource::work;
};

/// The runs of a sweep, and notes about them for the user.
struct Expansion {
  std::vector<Point> points;
  std::vector<std::string> notes;
};

/// Every run is a configuration that train accepts on that many ranks; else ConfigError. Order: all settings
/// with the first seed, then with the next; within a seed the axes from the slowest to the fastest, then
/// `include`. Of runs that are the same, only the first is kept.
[[nodiscard]] Expansion expand_with_notes(const Spec& spec);
[[nodiscard]] std::vector<Point> expand(const Spec& spec);

/// A text that is the same for points that differ in the seed alone.
[[nodiscard]] std::string repeat_group(const Point& point);

/// The points in groups that differ in the seed alone, in the order of each group's first point.
[[nodiscard]] std::vector<std::vector<Point>> group_repeats(const std::vector<Point>& points);

/// The point with another repeat's seed and run id. Seeds of later repeats than the sweep's seeds follow the
/// largest of them. Throws ConfigError.
[[nodiscard]] Point with_repeat(const Spec& spec, const Point& point, std::size_t repeat);

}  // namespace lockstep::sweep
