// SPDX-License-Identifier: BSD-3-Clause
// How the gradients of a step become one update on all ranks: the interface, and the table of exchanges.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "algorithms/observation.hpp"
#include "algorithms/state.hpp"
#include "algorithms/training_context.hpp"
#include "comm/traffic.hpp"
#include "data/batches.hpp"

namespace lockstep::algorithms {

/// One step: where it is, and what this rank does in it.
struct Step {
  std::uint32_t epoch = 0;
  std::size_t index = 0;
  data::Batch batch;
  float learning_rate = 0.0F;
};

/// How the ranks hold the parameters, and the optimizer's state for them, between steps.
struct StateLayout {
  Distribution parameters, optimizer;
};

/// Trains batches and combines what the ranks found.
class Exchange {
 public:
  virtual ~Exchange() = default;
  /// Trains on this rank's samples of a step, which may be none, and makes the step's update; returns the
  /// summed loss of those samples. Collective. Allocates nothing.
  virtual double train(const Step& step) = 0;
  /// Makes all parameters valid on all ranks, where a step leaves that to the next one. Collective.
  virtual void synchronize_parameters() {}
  [[nodiscard]] virtual StateLayout layout() const { return {}; }
  /// What this rank has sent in this epoch; nullptr if it never sends anything.
  [[nodiscard]] virtual comm::Traffic* traffic() { return nullptr; }
  virtual void begin_epoch() {}
  /// Beyond parameters, optimizer and traffic.
  virtual void describe_state(State& /*state*/) {}
  virtual void observe(std::vector<Observation>& /*to*/) const {}
  /// What was decided when it was made.
  [[nodiscard]] virtual std::vector<Choice> choices() const { return {}; }
  /// What was not finite in a gradient, at the first step in which anything was; "" for nothing.
  [[nodiscard]] const std::string& trouble() const { return trouble_; }

 protected:
  std::string trouble_;
};

struct ExchangeOptions {
  std::string exchange = "auto";
  std::string overlap = "off";
  std::size_t bucket_floats = 32768;
  std::string compress = "none";

  void describe(Options& options);
  /// Throws ConfigError for options that cannot go together.
  void check(const TrainingOptions& training, std::string_view allreduce_name) const;
};

/// What an exchange is made with. The context and the plan outlive it; it may move the context's parameters
/// to other memory.
struct ExchangeSetup {
  TrainingContext& context;
  const data::BatchPlan& plan;
  const ExchangeOptions& options;
};

struct ExchangeRow {
  std::string_view name;
  std::string_view help;
  bool overlaps;    ///< can run during the backward pass
  bool compresses;  ///< can write floats in fewer bytes
  /// Collective.
  std::unique_ptr<Exchange> (*make)(const ExchangeSetup& setup);
};

[[nodiscard]] std::span<const ExchangeRow> exchange_table();

/// The exchange that the options name, or choose by `auto`; on one rank there is none to make: every step is
/// a local one. Throws ConfigError where it cannot run on these nodes. Collective.
[[nodiscard]] std::unique_ptr<Exchange> make_exchange(const ExchangeSetup& setup);

/// No exchange: each rank updates its own parameters by its own gradients. A plain step is made by the
/// backward pass. `distribution` says whether the ranks then have the same parameters.
[[nodiscard]] std::unique_ptr<Exchange> make_local_update(TrainingContext& context,
                                                          const data::BatchPlan& plan,
                                                          Distribution distribution);

}  // namespace lockstep::algorithms
