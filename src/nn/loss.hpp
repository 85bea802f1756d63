// SPDX-License-Identifier: BSD-3-Clause
// Examples, the losses over their targets, and the table of losses.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "math/matrix.hpp"

namespace lockstep::nn {

/// Samples as a model takes them.
struct Examples {
  math::ConstMatrix inputs;               ///< [batch, input]
  std::span<const std::int32_t> targets;  ///< [batch]: the index of each sample's class
};

/// Sum over the rows of `out` [B, classes] of the sample losses against `targets` [B]. Unless d_out is empty,
/// it becomes scale * d(sum)/d(out).
using LossFunction = double(math::ConstMatrix out, std::span<const std::int32_t> targets, float scale,
                            math::Matrix d_out);

struct LossRow {
  std::string_view name;
  std::string_view help;
  LossFunction* evaluate;
};

[[nodiscard]] std::span<const LossRow> loss_table();

/// How many rows of `out` [B, classes] have their largest element at the target. A row with a NaN counts as
/// wrong.
[[nodiscard]] std::size_t count_correct(math::ConstMatrix out, std::span<const std::int32_t> targets);

}  // namespace lockstep::nn
