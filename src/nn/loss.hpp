// SPDX-License-Identifier: BSD-3-Clause
// Losses over class labels, and their table.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "math/matrix.hpp"

namespace lockstep::nn {

/// Sum over the rows of `out` [B, classes] of the sample losses against `labels` [B]. Unless d_out is empty,
/// it becomes scale * d(sum)/d(out).
using LossFunction = double(math::ConstMatrix out, std::span<const std::uint8_t> labels, float scale,
                            math::Matrix d_out);

struct LossRow {
  std::string_view name;
  std::string_view help;
  LossFunction* evaluate;
};

[[nodiscard]] std::span<const LossRow> loss_table();

/// How many rows of `out` [B, classes] have their largest element at the label. A row with a NaN counts as
/// wrong.
[[nodiscard]] std::size_t count_correct(math::ConstMatrix out, std::span<const std::uint8_t> labels);

}  // namespace lockstep::nn
