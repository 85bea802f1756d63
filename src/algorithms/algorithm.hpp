// SPDX-License-Identifier: BSD-3-Clause
// The interface of a training algorithm, and the table of algorithms.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "algorithms/capabilities.hpp"
#include "algorithms/observation.hpp"
#include "algorithms/state.hpp"
#include "algorithms/training_context.hpp"
#include "algorithms/trouble.hpp"
#include "core/options.hpp"

namespace lockstep::algorithms {

/// What this rank did in an epoch, so far.
struct EpochStats {
  double loss_sum = 0.0;
  std::size_t samples = 0;
  std::size_t steps = 0;
  double learning_rate = 0.0;  ///< of the last step
  bool paused = false;         ///< on_step asked for it: the epoch is not over
};

/// One way to share the work of a training among ranks.
class Algorithm {
 public:
  virtual ~Algorithm() = default;
  /// Options of its own, before start().
  virtual void describe(Options& /*options*/) {}
  /// Throws ConfigError for options that cannot go together on several ranks; for one rank on behalf of all,
  /// before start().
  virtual void check(const TrainingOptions& /*training*/, std::string_view /*allreduce_name*/) const {}
  /// What holds with its options. Known before start().
  [[nodiscard]] virtual Capabilities capabilities() const = 0;
  /// Takes the means to train with, allocates all it will need. Collective.
  virtual void start(const TrainingContext& context) = 0;
  /// Trains epoch 0, 1, ... in turn. When TrainingContext::on_step asks for a pause, it returns after that
  /// step; called again with the same epoch, it resumes there. Collective. Allocates nothing.
  virtual EpochStats run_epoch(std::uint32_t epoch) = 0;
  /// Lists all state that the training depends on between two calls of run_epoch. Another process that has
  /// called start() and restored these values continues the training bit for bit.
  virtual void describe_state(State& state) = 0;
  /// Writes the model to evaluate: parameters, then the layers' state; the same on every rank. Does not
  /// change the training. Collective.
  virtual void export_model(std::span<float> out) = 0;
  /// What it decided for itself in start(): for the run's provenance.
  [[nodiscard]] virtual std::vector<Choice> choices() const { return {}; }
  /// The numbers that are not finite, as this rank saw them first; nullptr if it saw none.
  [[nodiscard]] virtual const Trouble* trouble() const { return nullptr; }
  /// The sizes of the batches that this rank trains on, each once. Known after start().
  [[nodiscard]] virtual std::vector<std::size_t> batch_sizes() const { return {}; }
  /// Observations of the last epoch: always the same names in the same order.
  [[nodiscard]] virtual std::vector<Observation> observations() const { return {}; }
};

struct AlgorithmRow {
  std::string_view name;
  std::string_view help;
  bool many_ranks;  ///< false: runs on one rank alone
  std::unique_ptr<Algorithm> (*make)();
};

[[nodiscard]] std::span<const AlgorithmRow> algorithm_table();
/// The row called `name`; throws ConfigError for an unknown name.
[[nodiscard]] const AlgorithmRow& find_algorithm(std::string_view name);

}  // namespace lockstep::algorithms
