// SPDX-License-Identifier: BSD-3-Clause
// Mean squared error and cross-entropy; targets are class indices, one-hot vectors in the formulas.
#include "nn/loss.hpp"

#include <algorithm>
#include <array>
#include <cmath>

#include "core/simd.hpp"
#include "math/softmax.hpp"

namespace lockstep::nn {
namespace {

using math::ConstMatrix;
using math::Matrix;
using Targets = std::span<const std::int32_t>;

// Sample loss 1/2 sum_j (out_j - target_j)^2; derivative out - target.
double mse(ConstMatrix out, Targets targets, float scale, Matrix d_out) {
  double total = 0.0;
  for (std::size_t i = 0; i < out.rows; ++i) {
    const simd::Ints index = simd::Ints{} + targets[i];
    simd::Floats sum{};
    for (std::size_t j = 0; j < out.cols; j += simd::width) {
      const std::size_t count = std::min(simd::width, out.cols - j);
      const simd::Ints column = simd::lane_numbers() + static_cast<std::int32_t>(j);
      const simd::Floats target = column == index ? simd::broadcast(1.0F) : simd::Floats{};
      const simd::Floats difference = simd::load_first(out.row(i).data() + j, count) - target;
      sum += difference * difference;
      if (!d_out.empty()) simd::store_first(d_out.row(i).data() + j, count, scale * difference);
    }
    total += 0.5 * static_cast<double>(simd::sum(sum));
  }
  return total;
}

// Sample loss -log(out_target) of probabilities; derivative -1 / out_target at the target. Probabilities are
// taken as at least the smallest normal number, so that a hopeless sample costs much but not infinitely much.
double cross_entropy(ConstMatrix out, Targets targets, float scale, Matrix d_out) {
  constexpr float smallest = 1.17549435e-38F;
  double total = 0.0;
  for (std::size_t i = 0; i < out.rows; ++i) {
    const auto target = static_cast<std::size_t>(targets[i]);
    float probability = out.row(i)[target];
    if (probability < smallest) probability = smallest;  // a NaN stays one
    total -= std::log(static_cast<double>(probability));
    if (d_out.empty()) continue;
    std::ranges::fill(d_out.row(i), 0.0F);
    d_out.row(i)[target] = -scale / probability;
  }
  return total;
}

// Cross-entropy of softmax(out), in one pass: log sum_j exp(out_j) - out_target; derivative softmax(out) -
// target.
double cross_entropy_logits(ConstMatrix out, Targets targets, float scale, Matrix d_out) {
  double total = 0.0;
  for (std::size_t i = 0; i < out.rows; ++i) {
    const auto target = static_cast<std::size_t>(targets[i]);
    const auto row = out.row(i);
    const auto d_row = d_out.empty() ? std::span<float>() : d_out.row(i);
    const auto [largest, sum] = math::softmax(row, d_row);
    total += static_cast<double>(std::log(sum) + largest - row[target]);
    if (d_row.empty()) continue;
    d_row[target] -= 1.0F;
    for (float& value : d_row) value *= scale;
  }
  return total;
}

constexpr std::array table = {
    LossRow{"mse", "half the squared distance of the output from the one-hot target", mse},
    LossRow{"cross_entropy", "-log of the target's probability; wants a softmax layer before it",
            cross_entropy},
    LossRow{"cross_entropy_logits", "cross-entropy with the softmax inside", cross_entropy_logits},
};

}  // namespace

std::span<const LossRow> loss_table() { return table; }

std::size_t count_correct(ConstMatrix out, Targets targets) {
  std::size_t correct = 0;
  for (std::size_t i = 0; i < out.rows; ++i) {
    const auto target = static_cast<std::size_t>(targets[i]);
    const auto row = out.row(i);
    const float of_target = row[target];
    bool largest = true;
    for (std::size_t j = 0; j < row.size(); ++j) largest = largest && (j == target || of_target > row[j]);
    if (largest) ++correct;
  }
  return correct;
}

}  // namespace lockstep::nn
