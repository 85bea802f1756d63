// SPDX-License-Identifier: BSD-3-Clause
// The settings that a sweep can fix or vary (train's options, ranks and nodes), what they mean together, and
// the run ids that follow from them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "core/json.hpp"
#include "core/options.hpp"
#include "data/dataset.hpp"
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

/// Settings without ranks, nodes and seed, as train understands them.
struct Resolved {
  train::ResolvedConfig config;
  Json settings = Json::object();  ///< the given ones that have an effect, as train keeps them
  /// The values that differ from the program's defaults, keys in alphabetical order. Options that later
  /// versions add do not change it.
  nlohmann::json identity = {};
  std::optional<double> flop = {};  ///< of a run's matrix products, once the parts are checked
};

/// Resolves and checks settings, each only once.
class Resolver {
 public:
  /// `settings` are configuration keys with values that were checked one by one. Throws ConfigError.
  Resolved& resolve(const Json& settings);
  /// Resolves, and checks that the parts go together and run on `ranks`. Throws ConfigError.
  const Resolved& check(const Json& settings, std::size_t ranks);

  /// Data sets whose files are not here; they are taken to be as large as MNIST.
  [[nodiscard]] const std::set<std::string>& absent_datasets() const { return absent_; }

 private:
  data::DatasetInfo dataset_info(const data::DataOptions& options);

  std::unordered_map<std::string, Resolved> resolved_;  // by the settings' text
  std::map<std::string, data::DatasetInfo> datasets_;   // by the options' text
  std::map<std::string, Json> defaults_;                // by algorithm
  std::set<std::string> absent_;
};

/// ALGORITHM-DATASET-nRANKS-bBATCH-sSEED-HASH, where HASH is the first 12 digits of the SHA-256 of
/// identity_text. So a run has the same id in every sweep, however the sweep's file is written, and options
/// that later versions add do not change it.
[[nodiscard]] std::string make_run_id(const Resolved& resolved, std::size_t ranks, std::size_t nodes,
                                      std::uint32_t seed, const nlohmann::json& simulation = {});

/// The text of a JSON object without spaces, keys in alphabetical order: `identity`, `ranks`, `seed`, `nodes`
/// unless it is 0, and of a simulated run `simulation`, the identity of what simulates it.
[[nodiscard]] std::string identity_text(const Resolved& resolved, std::size_t ranks, std::size_t nodes,
                                        std::uint32_t seed, const nlohmann::json& simulation = {});

}  // namespace lockstep::sweep
