// SPDX-License-Identifier: BSD-3-Clause
// What settings mean: the resolved configuration, checked; and the run ids that follow from it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>

#include "core/json.hpp"
#include "data/dataset.hpp"
#include "sweep/spec/point.hpp"
#include "train/run_config.hpp"

namespace lockstep::sweep {

/// Settings without ranks, nodes and seed, as train understands them.
struct Resolved {
  Json settings;  ///< the given ones that have an effect, as train keeps them
  Json values;    ///< the whole configuration
  /// The values that differ from the program's defaults, keys in alphabetical order. Options that later
  /// versions add do not change it.
  nlohmann::json identity;
  bool divides_batches = false;  ///< ranks share each batch
  Work work;                     ///< filled in by Resolver::check
};

/// Resolves and checks settings, each only once.
class Resolver {
 public:
  /// `settings` are configuration keys with values that were checked one by one. Throws ConfigError.
  const Resolved& resolve(const Json& settings);
  /// Resolves, and checks that the parts go together and run on `ranks`. Throws ConfigError.
  const Resolved& check(const Json& settings, std::size_t ranks);

  /// Data sets whose files are not here; they are taken to be as large as MNIST.
  [[nodiscard]] const std::set<std::string>& absent_datasets() const { return absent_; }

 private:
  struct Entry {
    train::ResolvedConfig config;
    Resolved resolved = {};
    bool parts_checked = false;
  };
  Entry& entry(const Json& settings);
  data::DatasetInfo dataset_info(const data::DataOptions& options);

  std::unordered_map<std::string, Entry> entries_;     // by the settings' text
  std::map<std::string, data::DatasetInfo> datasets_;  // by the options' text
  std::map<std::string, Json> defaults_;               // by algorithm
  std::set<std::string> absent_;
};

/// ALGORITHM-DATASET-nRANKS-bBATCH-sSEED-HASH, where HASH is the first 12 digits of the SHA-256 of
/// identity_text. So a run has the same id in every sweep, however the sweep's file is written, and options
/// that later versions add do not change it.
[[nodiscard]] std::string make_run_id(const Resolved& resolved, std::size_t ranks, std::size_t nodes,
                                      std::uint32_t seed);

/// The text of a JSON object without spaces, keys in alphabetical order: `identity`, `ranks`, `seed`, and
/// `nodes` unless it is 0.
[[nodiscard]] std::string identity_text(const Resolved& resolved, std::size_t ranks, std::size_t nodes,
                                        std::uint32_t seed);

}  // namespace lockstep::sweep
