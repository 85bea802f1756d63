// SPDX-License-Identifier: BSD-3-Clause
// Checks keys and values against the described options of train.
#include "sweep/spec/settings.hpp"

#include "core/json.hpp"
#include "core/names.hpp"

namespace lockstep::sweep {

SettingsTable::SettingsTable() : of_algorithms_(train::algorithm_options()) {
  options_.add("ranks", &ranks_, "MPI ranks").at_least(1).at_most(1e6);
  options_.add("nodes", &nodes_, "nodes that the ranks are on; 0: the fewest that hold them").at_most(1e6);
  config_.describe(options_);
  for (const train::AlgorithmOption& option : of_algorithms_) options_.all().push_back(option.described);
  // The sweep itself sets these for every run.
  std::erase_if(options_.all(),
                [](const Option& option) { return option.key() == "seed" || option.key() == "experiment"; });
}

Json SettingsTable::check(std::string_view where, const std::string& key, const Json& value) {
  if (key == "seed")
    throw ConfigError({.what = "seed is given in " + std::string(where),
                       .expected = R"("seeds": [1, 2, 3] or "repeats": 3 beside fixed and matrix)",
                       .hint = "runs that differ in the seed alone are repeats of each other"});
  if (key == "experiment")
    throw ConfigError({.what = "experiment is given in " + std::string(where),
                       .hint = "the sweep's name is used: \"name\": \"...\""});
  Option* option = options_.find(key);
  if (option == nullptr) throw unknown_name("setting in " + std::string(where), key, options_.keys());
  try {
    option->set(value);
  } catch (const ConfigError& error) {
    throw ConfigError({.what = std::string(where) + ": " + error.what()});
  }
  return option->value();
}

}  // namespace lockstep::sweep
