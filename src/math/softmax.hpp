// SPDX-License-Identifier: BSD-3-Clause
// Softmax of a row.
#pragma once

#include <span>

namespace lockstep::math {

/// sum_j exp(x_j - largest) of a row, `largest` being max_j x_j, so that nothing overflows.
struct ExponentialSum {
  float largest, sum;
};

/// out_j = exp(in_j) / sum_k exp(in_k) of a row that is not empty; to some units in the last place, and 0
/// where the exponential is below the normal numbers. A NaN makes all of the row NaN. `out` may be `in`, or
/// empty if only the sum is wanted.
ExponentialSum softmax(std::span<const float> in, std::span<float> out);

}  // namespace lockstep::math
