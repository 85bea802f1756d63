// SPDX-License-Identifier: BSD-3-Clause
// Whether the parts of a configuration go together: asked by train before it starts, and of every run of a
// sweep.
#pragma once

#include <cstddef>
#include <vector>

#include "data/dataset.hpp"
#include "math/gemm.hpp"
#include "train/run_config.hpp"

namespace lockstep::train {

/// The algorithm runs on that many ranks, with the options that it has. Throws ConfigError.
void check_algorithm(const ResolvedConfig& config, std::size_t ranks);

/// The GEMM backend is here, the optimizer's settings go together, and the model fits such a data set. Throws
/// ConfigError. Returns the matrix products of training on one sample.
std::vector<math::GemmShape> check_parts(const ResolvedConfig& config, const data::DatasetInfo& data);

}  // namespace lockstep::train
