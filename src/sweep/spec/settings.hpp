// SPDX-License-Identifier: BSD-3-Clause
// The settings that a sweep may give or vary: what train takes, and ranks and nodes.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "core/options.hpp"
#include "train/run_config.hpp"

namespace lockstep::sweep {

/// Knows all keys, and which values each takes.
class SettingsTable {
 public:
  SettingsTable();
  SettingsTable(const SettingsTable&) = delete;
  SettingsTable& operator=(const SettingsTable&) = delete;

  /// The value as train would keep it (1 of a real number becomes 1.0). Throws ConfigError for an unknown
  /// key, naming `where` it stands and the nearest known one, and for a value that the key does not take.
  Json check(std::string_view where, const std::string& key, const Json& value);
  [[nodiscard]] bool knows(const std::string& key) const;
  /// True for what is no configuration key of train.
  [[nodiscard]] static bool is_shape(std::string_view key) { return key == "ranks" || key == "nodes"; }

 private:
  train::RunConfig config_;
  std::vector<train::AlgorithmOption> of_algorithms_;
  std::size_t ranks_ = 1, nodes_ = 0;
  Options options_;
  std::vector<std::string> keys_;
};

}  // namespace lockstep::sweep
