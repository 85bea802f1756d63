// SPDX-License-Identifier: BSD-3-Clause
// From a Spec to its runs.
#include <algorithm>
#include <limits>
#include <set>
#include <span>
#include <unordered_map>
#include <unordered_set>

#include <fmt/format.h>

#include "algorithms/algorithm.hpp"
#include "core/error.hpp"
#include "core/json.hpp"
#include "core/names.hpp"
#include "core/options.hpp"
#include "sweep/spec/settings.hpp"
#include "sweep/spec/spec.hpp"

namespace lockstep::sweep {
namespace {

constexpr int most_points = 100000;

// One combination of settings, as the file gives them; ranks and nodes are kept apart.
struct Combination {
  Json settings = Json::object();
  std::size_t ranks = 1, nodes = 0;

  void set(const std::string& key, const Json& value) {
    if (SettingsTable::is_shape(key))
      (key == "ranks" ? ranks : nodes) = value.get<std::size_t>();
    else
      settings[key] = value;
  }
};

// "algorithm=serial, ranks=2"
std::string describe(const Combination& combination) {
  std::string text;
  for (const auto& [key, value] : combination.settings.items())
    text += fmt::format("{}={}, ", key, typed(value));
  text += fmt::format("ranks={}", combination.ranks);
  if (combination.nodes != 0) text += fmt::format(", nodes={}", combination.nodes);
  return text;
}

// How many combinations the axes have. Not a std::size_t, which could overflow.
double places(std::span<const Axis> axes) {
  double count = 1.0;
  for (const Axis& axis : axes) count *= static_cast<double>(axis.values.size());
  return count;
}

// Calls visit(combination) for the product of the axes, the last one fastest.
template <class Visit>
void for_product(const Combination& base, std::span<const Axis> axes, Visit visit) {
  if (axes.empty()) return visit(base);
  const Axis& axis = axes.front();
  for (const std::vector<Json>& values : axis.values) {
    Combination next = base;
    for (std::size_t i = 0; i < axis.keys.size(); ++i) next.set(axis.keys[i], values[i]);
    for_product(next, axes.subspan(1), visit);
  }
}

// The sweep's seeds, then the whole numbers after the largest of them.
std::uint32_t seed_of(const Spec& spec, std::size_t repeat) {
  if (repeat < spec.seeds.size()) return spec.seeds[repeat];
  const std::uint64_t seed = std::ranges::max(spec.seeds) + std::uint64_t{1} + (repeat - spec.seeds.size());
  if (seed > std::numeric_limits<std::uint32_t>::max())
    throw ConfigError({.what = "no seed is left for another repeat", .hint = "smaller numbers in seeds"});
  return static_cast<std::uint32_t>(seed);
}

Point make_point(const Spec& spec, const Resolved& resolved, std::size_t ranks, std::size_t nodes,
                 std::size_t repeat) {
  const std::uint32_t seed = seed_of(spec, repeat);
  const bool is_simulated = spec.simulation.has_value();
  Point point{.run_id = make_run_id(resolved, ranks, nodes, seed,
                                    is_simulated ? spec.simulation->identity : nlohmann::json()),
              .ranks = ranks,
              .nodes = nodes,
              .cluster = is_simulated ? spec.simulation->cluster : "",
              .repeat = repeat,
              .settings = resolved.settings,
              .flop = resolved.flop.value()};
  point.settings["seed"] = seed;
  point.settings["experiment"] = spec.name;
  return point;
}

class Expander {
 public:
  explicit Expander(const Spec& spec) : spec_(spec), excluded_(spec.exclude.size(), 0) {
    for (const auto& [key, value] : spec.fixed.items()) fixed_.set(key, value);
  }

  Expansion run() {
    check_size();
    if (!spec_.axes.empty() || spec_.include.empty())
      for_product(fixed_, spec_.axes, [&](const auto& c) { add(c); });
    check_exclusions();
    for (const std::vector<Axis>& axes : spec_.include)
      for_product(fixed_, axes, [&](Combination combination) { keep(std::move(combination)); });
    check_effects();
    return {.points = points(), .notes = notes()};
  }

 private:
  void check_size() const {
    double combinations = spec_.axes.empty() && !spec_.include.empty() ? 0.0 : places(spec_.axes);
    for (const std::vector<Axis>& axes : spec_.include) combinations += places(axes);
    if (combinations * static_cast<double>(spec_.seeds.size()) > most_points)
      throw ConfigError({"too many runs", fmt::format("at most {}", most_points),
                         fmt::format("{} combinations times {} seeds", combinations, spec_.seeds.size())});
  }

  // The value that an exclusion is compared with: the file's, else the configuration's default.
  Json value_of(const Combination& combination, const std::string& key) {
    if (key == "ranks") return combination.ranks;
    if (key == "nodes") return combination.nodes;
    if (const auto at = combination.settings.find(key); at != combination.settings.end()) return *at;
    const Json& values = resolver_.resolve(combination.settings).config.values;
    return values.contains(key) ? values[key] : Json();
  }

  bool matches(const Combination& combination, const Json& exclusion) {
    for (const auto& [key, list] : exclusion.items()) {
      const Json value = value_of(combination, key);
      if (std::find(list.begin(), list.end(), value) == list.end()) return false;
    }
    return true;
  }

  void add(const Combination& combination) {
    ++visited_;
    bool out = false;
    for (std::size_t i = 0; i < spec_.exclude.size(); ++i)
      if (matches(combination, spec_.exclude[i])) {
        ++excluded_[i];
        out = true;
      }
    if (out) return;
    keep(combination);
  }

  // Checks a combination and keeps it, unless it is there already.
  void keep(Combination combination) try {
    ++asked_;
    for (const auto& [key, value] : combination.settings.items()) given_.insert(key);
    if (spec_.weak) scale(combination);
    if (combination.nodes > combination.ranks)
      throw ConfigError({"more nodes than ranks", fmt::format("at most {} nodes", combination.ranks),
                         fmt::format("{} nodes", combination.nodes)});
    if (spec_.simulation) spec_.simulation->check(combination.ranks, combination.nodes);
    const Resolved& resolved = resolver_.check(combination.settings, combination.ranks);
    for (const auto& [key, value] : resolved.settings.items()) effective_.insert(key);
    if (!seen_.insert(identity_text(resolved, combination.ranks, combination.nodes, 0)).second) return;
    // cppcheck-suppress danglingLifetime  // the resolver keeps what it has resolved
    kept_.push_back({&resolved, combination.ranks, combination.nodes});
  } catch (const ConfigError& error) {
    throw ConfigError({.what = fmt::format("the run {}: {}", describe(combination), error.what())});
  }

  // Weak scaling: each rank keeps its number of samples and, where the ranks share batches, its part of a
  // batch.
  void scale(Combination& combination) {
    const train::ResolvedConfig& config = resolver_.resolve(combination.settings).config;
    const Json& values = config.values;
    const auto grow = [&](const char* key) {
      const auto of_a_rank = values[key].get<std::size_t>();
      if (of_a_rank > std::numeric_limits<std::size_t>::max() / combination.ranks)
        throw ConfigError({.what = fmt::format("weak scaling of {}: the product is too large", key),
                           .got = fmt::format("{} x {} ranks", of_a_rank, combination.ranks)});
      combination.settings[key] = of_a_rank * combination.ranks;
    };
    if (values["dataset"] == "synthetic")
      grow("synthetic_train");
    else if (values["train_samples"] == 0U)
      throw ConfigError(
          {.what = "weak scaling needs the number of samples for each rank",
           .expected = "train_samples, e.g. in fixed",
           .got = "all samples of the data set, on any number of ranks",
           .hint = "a run trains on train_samples x ranks samples; the data set must have them"});
    if (values["train_samples"] != 0U) grow("train_samples");
    if (!config.algorithm->capabilities().divides_batches) return;
    grow("batch_size");
    // With a gradient that is a sum over the batch, steps already grow with the batch.
    if (spec_.linear_learning_rate && values["gradient"] == "mean")
      combination.settings["learning_rate"] =
          values["learning_rate"].get<double>() * static_cast<double>(combination.ranks);
  }

  void check_exclusions() const {
    if (visited_ == 0 && !spec_.exclude.empty())
      throw ConfigError({.what = "exclude has nothing to exclude from",
                         .hint = "it takes runs out of matrix and zip, not out of include"});
    for (std::size_t i = spec_.excludes_of_file; i < excluded_.size(); ++i)
      if (excluded_[i] == 0)
        throw ConfigError({.what = fmt::format("entry {} of exclude matches no run", i + 1),
                           .expected = "settings of runs in matrix and zip",
                           .got = spec_.exclude[i].dump()});
    if (visited_ > 0 && asked_ == 0)
      throw ConfigError({.what = fmt::format("exclude takes out every run ({} of {})", visited_, visited_)});
  }

  // A setting that varies without effect is a mistake; a fixed one gets a note.
  void check_effects() {
    for (const Axis& axis : spec_.axes)
      for (const std::string& key : axis.keys)
        if (given_.contains(key) && !effective_.contains(key))
          throw ConfigError({.what = key + " has no effect on any run of the sweep",
                             .expected = "a run with " + who_knows(key),
                             .hint = "take " + key + " out, or add such a run"});
  }

  static std::string who_knows(const std::string& key) {
    for (const train::AlgorithmOption& option : train::algorithm_options())
      if (option.described.key() == key) return "algorithm " + join(option.algorithms, " or ");
    return "an algorithm that knows it";
  }

  std::vector<Point> points() const {
    std::vector<Point> points;
    points.reserve(kept_.size() * spec_.seeds.size());
    for (std::size_t repeat = 0; repeat < spec_.seeds.size(); ++repeat)
      for (const Kept& kept : kept_)
        points.push_back(make_point(spec_, *kept.resolved, kept.ranks, kept.nodes, repeat));
    return points;
  }

  std::vector<std::string> notes() const {
    std::vector<std::string> notes;
    if (asked_ > kept_.size())
      notes.push_back(
          fmt::format("{} combinations repeat others in all settings that have an effect, and are left out",
                      asked_ - kept_.size()));
    for (const std::string& key : given_)
      if (!effective_.contains(key))
        notes.push_back(key + " has no effect on any run: it belongs to " + who_knows(key));
    for (const std::string& dataset : resolver_.absent_datasets())
      notes.push_back("the data set " + dataset + " is not here; estimates assume the size of MNIST");
    return notes;
  }

  struct Kept {
    const Resolved* resolved;
    std::size_t ranks, nodes;
  };

  const Spec& spec_;
  Resolver resolver_;
  Combination fixed_;
  std::vector<std::size_t> excluded_;        // runs that each exclusion matches
  std::size_t visited_ = 0;                  // combinations of matrix and zip
  std::size_t asked_ = 0;                    // without the excluded ones, with include
  std::set<std::string> given_, effective_;  // settings
  std::unordered_set<std::string> seen_;
  std::vector<Kept> kept_;
};

}  // namespace

Expansion expand_with_notes(const Spec& spec) {
  return in_context(spec.path.string(), [&] { return Expander(spec).run(); });
}

std::vector<Point> expand(const Spec& spec) { return expand_with_notes(spec).points; }

std::string repeat_group(const Point& point) {
  Json settings = point.settings;
  settings.erase("seed");
  return fmt::format("{} {} {}", point.ranks, point.nodes, settings.dump());
}

std::vector<std::vector<Point>> group_repeats(const std::vector<Point>& points) {
  std::vector<std::vector<Point>> groups;
  std::unordered_map<std::string, std::size_t> places;
  for (const Point& point : points) {
    const auto [at, is_new] = places.emplace(repeat_group(point), groups.size());
    if (is_new) groups.emplace_back();
    groups[at->second].push_back(point);
  }
  return groups;
}

Point with_repeat(const Spec& spec, const Point& point, std::size_t repeat) {
  Json settings = point.settings;
  settings.erase("seed");
  settings.erase("experiment");
  Resolver resolver;
  return make_point(spec, resolver.check(settings, point.ranks), point.ranks, point.nodes, repeat);
}

}  // namespace lockstep::sweep
