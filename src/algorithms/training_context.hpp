// SPDX-License-Identifier: BSD-3-Clause
// All that a rank trains with.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>

#include "comm/allreduce.hpp"
#include "comm/communicator.hpp"
#include "core/clock.hpp"
#include "core/options.hpp"
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
  std::string batch_norm = "own";
  bool reproducible = false;
  bool check_finite = true;  ///< of summed gradients; false only in a benchmark of what that costs

  void describe(Options& options);
  /// The factor on the summed gradient of a step whose gradient is taken over `samples` samples.
  [[nodiscard]] float gradient_scale(std::size_t samples) const;
};

/// With `reproducible` a batch is divided into so many shards. The number of ranks must divide it.
inline constexpr std::size_t reproducible_shards = 8;

/// A step, for progress displays and to decide on a pause.
struct StepReport {
  std::size_t step = 0;  ///< done in this epoch
  std::size_t steps = 0;
  std::size_t samples = 0;  ///< trained by this rank in this epoch
  double loss_sum = 0.0;    ///< over those samples
};

/// All that a rank trains with. Everything outlives the algorithm.
struct TrainingContext {
  const comm::Communicator& ranks;
  comm::Allreduce& allreduce;  ///< takes the parameters, the layers' state and 1 number more
  std::string_view
      allreduce_name;  ///< as configured: "auto" leaves the choice of the exchange to the algorithm
  nn::Model& model;
  std::span<float> parameters;   ///< bound to the model; initialised alike on all ranks
  std::span<float> layer_state;  ///< the same; each rank has its own
  std::span<float> gradients;    ///< as long as the parameters
  nn::Optimizer& optimizer;      ///< without room for state yet: the algorithm knows for how many parameters
  const nn::ScheduleOptions& schedule;
  const data::Samples& samples;
  const TrainingOptions& options;
  PhaseTimer& phases;  ///< the algorithm enters the phases
  /// For layers that depend on the whole batch; empty if each rank's samples are a batch of their own.
  nn::SumOverRanks sum_over_ranks;
  /// After every step. True: pause here, in the middle of the epoch; the same on all ranks.
  std::function<bool(const StepReport&)> on_step;
  /// After an epoch's last step, before an average that may follow it: to look at the ranks' own parameters.
  std::function<void()> on_last_step;
};

}  // namespace lockstep::algorithms
