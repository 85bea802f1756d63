// SPDX-License-Identifier: BSD-3-Clause
// The interface of a training algorithm, what it trains with, and the table of algorithms.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "algorithms/state.hpp"
#include "comm/allreduce.hpp"
#include "comm/communicator.hpp"
#include "core/clock.hpp"
#include "core/fields.hpp"
#include "data/dataset.hpp"
#include "nn/model.hpp"
#include "nn/optimizer.hpp"

namespace lockstep::algorithms {

/// What every algorithm needs to know of a training.
struct TrainingOptions {
  std::size_t batch_size = 64;
  std::size_t epochs = 20;
  std::uint32_t seed = 1;
  std::string gradient = "sum";

  void describe(Fields& fields);
  /// The factor on the summed gradient of a step whose gradient is taken over `samples` samples.
  [[nodiscard]] float gradient_scale(std::size_t samples) const;
};

/// A step, for progress displays and for whoever may want a pause.
struct StepReport {
  std::size_t step = 0;  ///< done in this epoch
  std::size_t steps = 0;
  std::size_t samples = 0;  ///< trained by this rank in this epoch
  double loss_sum = 0.0;    ///< over those samples
};

/// All that a rank trains with. Everything outlives the algorithm.
struct Worker {
  const comm::Communicator& ranks;
  comm::Allreduce& allreduce;  ///< takes parameter_count + 1 numbers
  std::string_view
      allreduce_name;  ///< as configured: "auto" leaves the choice of the exchange to the algorithm
  nn::Model& model;
  std::span<float> parameters;  ///< bound to the model; initialised alike on all ranks
  std::span<float> gradients;   ///< as long
  nn::Optimizer& optimizer;
  const nn::ScheduleOptions& schedule;
  const data::Samples& samples;
  const TrainingOptions& options;
  PhaseTimer& phases;  ///< the algorithm tells it what it is doing
  /// After every step. True: pause here, in the middle of the epoch; the same on all ranks.
  std::function<bool(const StepReport&)> on_step;
  /// After an epoch's last step, before an average that may follow it: to look at the ranks' own parameters.
  std::function<void()> on_last_step;
};

/// What this rank did in an epoch, so far.
struct EpochStats {
  double loss_sum = 0.0;
  std::size_t samples = 0;
  std::size_t steps = 0;
  double learning_rate = 0.0;  ///< of the last step
  bool paused = false;         ///< on_step asked for it: the epoch is not over
};

/// A number that an algorithm tells of itself after each epoch; NaN when there is nothing to tell.
struct Observation {
  std::string name, unit, description;
  bool per_rank = false;  ///< each rank has its own; else all have the same
  double value = 0.0;
};

/// Something that an algorithm decided for itself: what was to be decided, and how.
struct Choice {
  std::string name, decision;
};

/// One way to share the work of a training among ranks.
class Algorithm {
 public:
  virtual ~Algorithm() = default;
  /// Options of its own, before start().
  virtual void describe(Fields& /*fields*/) {}
  /// Throws ConfigError for options that cannot go together on several ranks; for one rank on behalf of all,
  /// before start().
  virtual void check(std::string_view /*allreduce_name*/) const {}
  /// Takes the means to train with, allocates all it will need. Collective.
  virtual void start(const Worker& worker) = 0;
  /// Trains epoch 0, 1, ... in turn. When Worker::on_step asks for a pause it returns after that step, and
  /// called again with the same epoch it goes on from there. Collective. Allocates nothing.
  virtual EpochStats run_epoch(std::uint32_t epoch) = 0;
  /// Lists all that the training depends on between two calls of run_epoch, in an epoch or after one: another
  /// process that has called start(), and has put these values in their places, goes on as if it were this
  /// one, to the last bit.
  virtual void describe_state(State& state) = 0;
  /// Writes the parameters that are to be evaluated now, the same on every rank, without changing the
  /// training. Collective.
  virtual void export_parameters(std::span<float> out) = 0;
  /// What it decided for itself in start(): for the run's provenance.
  [[nodiscard]] virtual std::vector<Choice> choices() const { return {}; }
  /// The sizes of the batches that this rank trains on, each once. Known after start().
  [[nodiscard]] virtual std::vector<std::size_t> batch_sizes() const { return {}; }
  /// True when the ranks share each batch of batch_size samples; else every rank makes such batches of its
  /// own.
  [[nodiscard]] virtual bool divides_batches() const { return false; }
  /// What it tells of the epoch just run: always the same names in the same order.
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
