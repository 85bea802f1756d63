// SPDX-License-Identifier: BSD-3-Clause
// The settings that a sweep can fix or vary: train's options, ranks and nodes.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "core/options.hpp"
#include "train/run_config.hpp"

namespace lockstep::sweep {

/// All keys, and the values that each takes.
class SettingsTable {
 public:
  SettingsTable();
  SettingsTable(const SettingsTable&) = delete;
  SettingsTable& operator=(const SettingsTable&) = delete;

  /// The value as train keeps it (1 becomes 1.0 for a real number). Throws ConfigError for an unknown key,
  /// with the nearest known one, and for a value that the key does not take; `where` names the section.
  Json check(std::string_view where, const std::string& key, const Json& value);
  [[nodiscard]] bool knows(const std::string& key) { return options_.find(key) != nullptr; }
  /// True for the keys that are not train's.
  [[nodiscard]] static bool is_shape(std::string_view key) { return key == "ranks" || key == "nodes"; }

 private:
  train::RunConfig config_;
  std::vector<train::AlgorithmOption> of_algorithms_;
  std::size_t ranks_ = 1, nodes_ = 0;
  Options options_;
};

}  // namespace lockstep::sweep
