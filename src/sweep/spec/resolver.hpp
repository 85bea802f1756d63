// SPDX-License-Identifier: BSD-3-Clause
// What settings mean: the resolved configuration, checked, once for runs that differ in the seed alone.
#pragma once

#include <cstddef>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

#include "core/json.hpp"
#include "data/dataset.hpp"
#include "sweep/spec/point.hpp"
#include "train/run_config.hpp"

namespace lockstep::sweep {

/// Settings without ranks, nodes and seed, as train understands them.
struct Resolved {
  Json settings;  ///< those given that have an effect, as train keeps them
  Json values;    ///< the whole configuration
  /// What tells this configuration from the program's defaults, keys in alphabetical order: options that come
  /// with later versions do not change it.
  nlohmann::json identity;
  bool many_ranks = false;       ///< the algorithm runs on several
  bool divides_batches = false;  ///< ranks share each batch
  Work work;
};

/// Resolves and checks settings; remembers what it has seen.
class Resolver {
 public:
  /// `settings` are configuration keys whose values were checked one by one. Throws ConfigError.
  const Resolved& resolve(const Json& settings);
  /// Resolves, and checks that the parts go together and run on `ranks`. Throws ConfigError.
  const Resolved& check(const Json& settings, std::size_t ranks);

  /// Data sets whose files are not here: their sizes are taken to be those of MNIST.
  [[nodiscard]] const std::set<std::string>& absent_datasets() const { return absent_; }

 private:
  struct Entry {
    Resolved resolved;
    train::ResolvedConfig config;
    bool parts_checked = false;
    bool checked_on_one = false, checked_on_many = false;
  };
  Entry& entry(const Json& settings);
  void check_parts(Entry& entry);
  data::DatasetInfo dataset_info(const data::DataOptions& options);

  std::unordered_map<std::string, std::unique_ptr<Entry>> entries_;  // by the settings' text
  std::map<std::string, data::DatasetInfo> datasets_;                // by the options' text
  std::map<std::string, Json> defaults_;                             // by algorithm
  std::set<std::string> absent_;
};

}  // namespace lockstep::sweep
