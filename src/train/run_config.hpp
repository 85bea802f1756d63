// SPDX-License-Identifier: BSD-3-Clause
// The configuration of a run: plain structs, their way to and from JSON, and whether they fit together.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <vector>

#include "algorithms/algorithm.hpp"
#include "core/json.hpp"
#include "core/options.hpp"
#include "data/dataset.hpp"
#include "math/gemm.hpp"
#include "nn/optimizer.hpp"

namespace lockstep::train {

/// What is trained, how, with which parts.
struct RunConfig {
  std::string algorithm = "serial";
  Json model = "model_a";
  std::string init_from;
  data::DataOptions data;
  algorithms::TrainingOptions training;
  nn::OptimizerOptions optimizer;
  nn::ScheduleOptions schedule;
  std::string allreduce = "auto";
  std::string gemm = "tiled";
  bool eval_acc = true;
  bool eval_ranks = false;
  std::string experiment = "runs";

  void describe(Options& options);
};

/// A configuration with its algorithm made and its algorithm's options set.
struct ResolvedConfig {
  RunConfig run;
  std::unique_ptr<algorithms::Algorithm> algorithm;
  Json model_description;
  Json values;                     ///< every key that applies, with its value: enough to run again
  std::vector<std::string> notes;  ///< given keys that have no effect with this algorithm
};

/// Applies `given`, a flat object of keys and values, to the defaults (the model's recipe among them). Throws
/// ConfigError for unknown keys, wrong types and impossible values.
[[nodiscard]] ResolvedConfig resolve_config(const Json& given);

/// Throws ConfigError unless the algorithm runs on that many ranks, with its options.
void check_algorithm(const ResolvedConfig& config, std::size_t ranks);

/// Throws ConfigError unless the GEMM backend exists, the optimizer's settings fit together, and the model
/// fits such a data set. Returns the matrix products of training on one sample.
std::vector<math::GemmShape> check_parts(const ResolvedConfig& config, const data::DatasetInfo& data);

/// An option that belongs to one or more algorithms.
struct AlgorithmOption {
  Option described;
  std::vector<std::string> algorithms;
  std::shared_ptr<algorithms::Algorithm> owner;  ///< keeps the option's place alive
};
/// The options of all algorithms, each key once.
[[nodiscard]] std::vector<AlgorithmOption> algorithm_options();

}  // namespace lockstep::train
