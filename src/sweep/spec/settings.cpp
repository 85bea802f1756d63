// SPDX-License-Identifier: BSD-3-Clause
// Checks keys and values against the described options of train.
#include "sweep/spec/settings.hpp"

#include <algorithm>

#include "core/json.hpp"
#include "core/names.hpp"

namespace lockstep::sweep {
namespace {

// What the sweep itself decides for every run.
constexpr std::string_view seed_key = "seed";
constexpr std::string_view experiment_key = "experiment";

}  // namespace

SettingsTable::SettingsTable() : of_algorithms_(train::algorithm_options()) {
  options_.add("ranks", &ranks_, "MPI ranks").at_least(1).at_most(1e6);
  options_.add("nodes", &nodes_, "nodes that the ranks are on; 0: as few as hold them").at_most(1e6);
  config_.describe(options_);
  for (const train::AlgorithmOption& option : of_algorithms_) options_.all().push_back(option.described);
  for (const std::string& key : options_.keys())
    if (key != seed_key && key != experiment_key) keys_.push_back(key);
}

bool SettingsTable::knows(const std::string& key) const {
  return std::ranges::find(keys_, key) != keys_.end();
}

Json SettingsTable::check(std::string_view where, const std::string& key, const Json& value) {
  if (key == seed_key)
    throw ConfigError({.what = "seed stands in " + std::string(where),
                       .expected = R"("seeds": [1, 2, 3] or "repeats": 3 beside fixed and matrix)",
                       .hint = "runs that differ in the seed alone are repeats of each other"});
  if (key == experiment_key)
    throw ConfigError({.what = "experiment stands in " + std::string(where),
                       .hint = "the sweep's own name is that of the experiment: \"name\": \"...\""});
  if (!knows(key)) throw unknown_name("setting in " + std::string(where), key, keys_);
  Option& option = *options_.find(key);
  try {
    option.set(value);
  } catch (const ConfigError& error) {
    throw ConfigError({.what = std::string(where) + ": " + error.what()});
  }
  return option.value();
}

}  // namespace lockstep::sweep
