// SPDX-License-Identifier: BSD-3-Clause
// Builds all that a rank trains with: the one builder for programs, tests and benchmarks.
#pragma once

#include <memory>
#include <string>

#include "algorithms/training_context.hpp"
#include "core/aligned.hpp"
#include "core/json_fwd.hpp"
#include "math/gemm.hpp"

namespace lockstep::algorithms {

/// What the parts are made of. All but the allreduce, which is made already, by the name it was asked for by.
struct PartsSetup {
  const Json& model_description;
  const TrainingOptions& training;
  const nn::OptimizerOptions& optimizer;
  const nn::ScheduleOptions& schedule;
  std::string gemm;
  std::string allreduce;
  std::size_t max_batch = 0;
};

/// The parts of a training on one rank, owned in the order in which they need each other.
class TrainingParts {
 public:
  /// `ranks`, `data` and the options in `setup` outlive it; its texts need not. `make_allreduce` makes the
  /// allreduce for a number of floats; by default the one that the setup names. Throws ConfigError.
  /// Collective.
  TrainingParts(const comm::Communicator& ranks, const data::Dataset& data, const PartsSetup& setup,
                const std::function<std::unique_ptr<comm::Allreduce>(std::size_t)>& make_allreduce = nullptr);
  TrainingParts(const TrainingParts&) = delete;
  TrainingParts& operator=(const TrainingParts&) = delete;

  /// For an algorithm to start with; without on_step and on_last_step.
  [[nodiscard]] TrainingContext context();

  [[nodiscard]] math::Gemm& gemm() { return *gemm_; }
  [[nodiscard]] nn::Model& model() { return model_; }
  [[nodiscard]] nn::Optimizer& optimizer() { return *optimizer_; }
  [[nodiscard]] comm::Allreduce& allreduce() { return *allreduce_; }
  [[nodiscard]] PhaseTimer& phases() { return phases_; }

 private:
  const comm::Communicator& ranks_;
  const data::Samples& samples_;
  const TrainingOptions& options_;
  const nn::ScheduleOptions& schedule_;
  std::string allreduce_name_;
  std::unique_ptr<math::Gemm> gemm_;
  nn::Model model_;
  AlignedVector<float> parameters_, layer_state_, gradients_;
  std::unique_ptr<nn::Optimizer> optimizer_;
  std::unique_ptr<comm::Allreduce> allreduce_;
  PhaseTimer phases_;
};

}  // namespace lockstep::algorithms
