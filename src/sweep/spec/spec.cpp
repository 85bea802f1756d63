// SPDX-License-Identifier: BSD-3-Clause
// From the file to a Spec.
#include "sweep/spec/spec.hpp"

#include <algorithm>
#include <fstream>
#include <iterator>
#include <map>
#include <utility>

#include <fmt/format.h>

#include "core/json.hpp"
#include "core/json_text.hpp"
#include "core/names.hpp"
#include "sweep/spec/duration.hpp"
#include "sweep/spec/settings.hpp"
#include "sweep/spec/spec_sections.hpp"
#include "sweep/spec/until.hpp"

namespace lockstep::sweep {
namespace {

// An axis for each key of an object of lists.
std::vector<Axis> axes_of(const Json& lists) {
  std::vector<Axis> axes;
  for (const auto& [key, list] : lists.items()) {
    Axis& axis = axes.emplace_back(Axis{.keys = {key}, .values = {}});
    for (const Json& value : list) axis.values.push_back({value});
  }
  return axes;
}

/// Fills a Spec from a file that is already merged with its variant.
class SpecReader {
 public:
  explicit SpecReader(const Json& merged) : merged_(merged) {}

  Spec read() {
    read_fixed();
    read_matrix();
    for (const Json& group : section("zip")) read_zip(group);
    for (const Json& entry : section("include"))
      spec_.include.push_back(axes_of(read_object("include", entry)));
    for (const Json& entry : section("exclude")) spec_.exclude.push_back(read_object("exclude", entry));
    read_repeats();
    read_scaling();
    if (merged_.contains("until")) read_until(merged_.at("until"));
    if (merged_.contains("time"))
      spec_.time_s = parse_duration("time", merged_.at("time").get<std::string>());
    if (spec_.fixed.empty() && spec_.axes.empty() && spec_.include.empty())
      throw ConfigError({.what = "the sweep has no runs",
                         .expected = "settings in fixed, matrix, zip or include",
                         .hint = R"("matrix": {"ranks": [1, 2, 4]} makes three)"});
    return std::move(spec_);
  }

 private:
  // By value: keep it while looping over its items().
  Json section(const char* name) const { return merged_.value(name, Json()); }

  void claim(const std::string& key, const std::string& where) {
    const auto [at, is_new] = places_.emplace(key, where);
    if (!is_new)
      throw ConfigError({.what = key + " is given twice",
                         .expected = "a setting in one place of fixed, matrix and zip",
                         .got = "in " + at->second + " and in " + where,
                         .hint = "runs with another value of it go in include"});
  }

  // The values of a list, checked; `where` names its section.
  Json read_list(const std::string& where, const std::string& key, const Json& list) {
    if (!list.is_array())
      throw ConfigError({"bad value for " + key + " in " + where, "a list of values", list.dump(),
                         "one value goes in fixed, or in brackets: [" + list.dump() + "]"});
    if (list.empty())
      throw ConfigError({"empty list for " + key + " in " + where, "at least one value", "[]"});
    Json values = Json::array();
    for (const Json& value : list) values.push_back(settings_.check(where, key, value));
    return values;
  }

  void read_fixed() {
    const Json fixed = section("fixed");
    for (const auto& [key, value] : fixed.items()) {
      if (value.is_array())
        throw ConfigError({"bad value for " + key + " in fixed", "one value", value.dump(),
                           "lists of values go in matrix"});
      spec_.fixed[key] = settings_.check("fixed", key, value);
      claim(key, "fixed");
    }
  }

  void read_matrix() {
    const Json matrix = section("matrix");
    if (matrix.is_object() && matrix.empty())
      throw ConfigError({"matrix is empty", "at least one setting with a list of values", "{}"});
    Json checked = Json::object();
    for (const auto& [key, list] : matrix.items()) {
      checked[key] = read_list("matrix", key, list);
      claim(key, "matrix");
    }
    spec_.axes = axes_of(checked);
  }

  void read_zip(const Json& group) {
    if (!group.is_object() || group.empty())
      throw ConfigError({"bad group in zip", "an object {setting: [value, ...], ...}", group.dump()});
    Axis axis;
    for (const auto& [key, list] : group.items()) {
      const Json values = read_list("zip", key, list);
      if (axis.keys.empty()) axis.values.resize(values.size());
      if (values.size() != axis.values.size())
        throw ConfigError({"lists of different lengths in zip",
                           fmt::format("{} values for {}, as {} has", axis.values.size(), key, axis.keys[0]),
                           fmt::format("{} values: {}", values.size(), list.dump()),
                           "settings of a group advance together; the product of all goes in matrix"});
      for (std::size_t i = 0; i < values.size(); ++i) axis.values[i].push_back(values[i]);
      axis.keys.push_back(key);
      claim(key, "zip");
    }
    spec_.axes.push_back(std::move(axis));
  }

  // An entry of include or exclude: its values may be lists, and are kept as lists.
  Json read_object(const std::string& section, const Json& given) {
    if (!given.is_object() || given.empty())
      throw ConfigError({"bad entry in " + section, "an object {setting: value or list, ...}", given.dump()});
    Json object = Json::object();
    for (const auto& [key, value] : given.items())
      object[key] = read_list(section, key, value.is_array() ? value : Json::array({value}));
    return object;
  }

  void read_repeats() {
    if (merged_.contains("seeds") && merged_.contains("repeats"))
      throw ConfigError({"seeds and repeats are both given", "one of them", "",
                         R"("repeats": 3 is short for "seeds": [1, 2, 3])"});
    if (merged_.contains("seeds")) {
      std::uint32_t seed = 0;
      Option option("seeds", &seed, "");
      for (const Json& value : merged_.at("seeds")) {
        option.set(value);
        if (std::ranges::find(spec_.seeds, seed) != spec_.seeds.end())
          throw ConfigError({"a seed is given twice", "different seeds", merged_.at("seeds").dump()});
        spec_.seeds.push_back(seed);
      }
      if (spec_.seeds.empty()) throw ConfigError({"seeds is empty", "at least one seed", "[]"});
    } else {
      // until needs enough values for an interval.
      std::size_t repeats = merged_.contains("until") ? fewest_for_interval : 1;
      Option option("repeats", &repeats, "");
      option.at_least(1).at_most(10000);
      if (merged_.contains("repeats")) option.set(merged_.at("repeats"));
      for (std::size_t i = 1; i <= repeats; ++i) spec_.seeds.push_back(static_cast<std::uint32_t>(i));
    }
  }

  void read_scaling() {
    std::string scaling = "strong";
    std::string rate = "none";
    Options options;
    options.add("scaling", &scaling, "").one_of({"strong", "weak"});
    options.add("learning_rate_scaling", &rate, "").one_of({"none", "linear"});
    for (Option& option : options.all())
      if (merged_.contains(option.key())) option.set(merged_.at(option.key()));
    spec_.weak = scaling == "weak";
    spec_.linear_learning_rate = rate == "linear";
    if (spec_.linear_learning_rate && !spec_.weak)
      throw ConfigError({"learning_rate_scaling linear without scaling weak", R"("scaling": "weak")", scaling,
                         "only then does the global batch grow with the ranks"});
  }

  void read_until(const Json& given) {
    Until& until = spec_.until;
    Options options;
    options.add("metric", &until.metric, "").one_of(metric_names());
    options.add("ci", &until.ci, "").above(0).below(1);
    options.add("at_most", &until.at_most, "")
        .at_least(static_cast<double>(fewest_for_interval))
        .at_most(10000);
    options.set(given, "key in until");
    if (until.metric.empty())
      throw ConfigError({.what = "until without a metric", .expected = "one of " + join(metric_names())});
    if (until.at_most < spec_.seeds.size())
      throw ConfigError(
          {"until stops before it begins", fmt::format("at_most of at least {}", spec_.seeds.size()),
           fmt::format("{}", until.at_most), "it counts all repeats of a point, the first ones too"});
  }

  const Json& merged_;
  SettingsTable settings_;
  Spec spec_;
  std::map<std::string, std::string> places_;
};

Spec spec_of(const Json& file, const std::filesystem::path& path, const std::string& scale) {
  const Json merged = merge_variant(file, scale);
  Spec spec = SpecReader(merged).read();
  spec.path = path;
  spec.name = file.value("name", path.stem().string());
  check_folder_name("sweep", spec.name);
  spec.scale = scale;
  if (scale != "full") spec.name += "-" + scale;
  spec.title = merged.value("title", "");
  const bool own_excludes = scale != "full" && file.at("variants").at(scale).contains("exclude");
  spec.excludes_of_file = scale == "full" || own_excludes ? 0 : spec.exclude.size();
  spec.text = file;
  return spec;
}

}  // namespace

Spec parse_spec(const std::string& text, const std::filesystem::path& path, const std::string& scale) {
  return in_context(path.string(), [&] {
    const Json file = parse_json(text);
    check_sections(file);
    Spec wanted = spec_of(file, path, scale);
    // The other variants are read, too, so that a mistake in one is reported at once.
    for (const std::string& other : scales_of_file(file))
      if (other != scale) (void)in_context("variant " + other, [&] { return spec_of(file, path, other); });
    return wanted;
  });
}

void simulate_on(Spec& spec, const Simulation& simulation) {
  spec.name += "-" + simulation.folder_ending();
  spec.simulation = simulation;
}

Spec read_spec(const std::filesystem::path& path, const std::string& scale) {
  std::ifstream file(path);
  if (!file || std::filesystem::is_directory(path))
    throw ConfigError({.what = "cannot read the sweep's file " + path.string(),
                       .hint = "Lockstep's own are in jobs/experiments/"});
  return parse_spec({std::istreambuf_iterator<char>(file), {}}, path, scale);
}

}  // namespace lockstep::sweep
