// SPDX-License-Identifier: BSD-3-Clause
// Whether the parts of a configuration fit together, for train and for every run of a sweep.
#pragma once

#include <cstddef>
#include <vector>

#include "data/dataset.hpp"
#include "math/gemm.hpp"
#include "train/launch.hpp"
#include "train/run_config.hpp"

namespace lockstep::train {

/// Throws ConfigError unless the algorithm runs on that many ranks, with its options.
void check_algorithm(const ResolvedConfig& config, std::size_t ranks);

/// Throws ConfigError unless the GEMM backend exists, the optimizer's settings fit together, and the model
/// fits such a data set. Returns the matrix products of training on one sample.
std::vector<math::GemmShape> check_parts(const ResolvedConfig& config, const data::DatasetInfo& data);

/// Checks all that one rank can check on behalf of all before any rank works: data files, model, optimizer,
/// results folder. Throws ConfigError or Error.
void check_training(const ResolvedConfig& config, const LaunchOptions& launch);

}  // namespace lockstep::train
