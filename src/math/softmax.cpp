// SPDX-License-Identifier: BSD-3-Clause
// Softmax in vectors: rows are as short as there are classes, and a library's exponential of each element
// takes longer than the products of the last layer.
#include "math/softmax.hpp"

#include <algorithm>
#include <cassert>
#include <limits>

#include "core/simd.hpp"

namespace lockstep::math {
namespace {

using simd::Floats;
using simd::Ints;

constexpr float infinity = std::numeric_limits<float>::infinity();

// exp(x) for x <= 0: 2^n exp(r) with |r| <= log(2) / 2, and Taylor's series for that.
Floats exp_not_above_zero(Floats x) {
  constexpr float least = -87.3365F;           // exp(least) is just above the smallest normal number
  constexpr float log_2_upper = 0.693359375F;  // few digits, so that n times it is exact
  constexpr float log_2_lower = -2.12194440e-4F;
  const Ints vanishes = x < least;
  const Floats bounded = vanishes ? simd::broadcast(least) : x;  // a NaN stays one
  const Ints n = simd::to_ints(bounded * 1.44269504088896341F - 0.5F);
  const Floats whole = simd::to_floats(n);
  const Floats r = bounded - whole * log_2_upper - whole * log_2_lower;
  Floats series = simd::broadcast(1.0F / 5040);
  for (const float coefficient : {1.0F / 720, 1.0F / 120, 1.0F / 24, 1.0F / 6, 0.5F, 1.0F, 1.0F})
    series = coefficient + r * series;
  return vanishes ? Floats{} : series * simd::as_floats((n + 127) << 23);
}

// The elements from j on, as many as a vector holds; -infinity in place of those beyond the row.
Floats vector_of(std::span<const float> row, std::size_t j) {
  if (j + simd::width <= row.size()) return simd::load(row.data() + j);
  const std::size_t count = row.size() - j;
  const Ints inside = simd::lane_numbers() < static_cast<std::int32_t>(count);
  return inside ? simd::load_first(row.data() + j, count) : simd::broadcast(-infinity);
}

}  // namespace

ExponentialSum softmax(std::span<const float> in, std::span<float> out) {
  assert(!in.empty() && (out.empty() || out.size() == in.size()));
  Floats largest_so_far = simd::broadcast(-infinity);
  for (std::size_t j = 0; j < in.size(); j += simd::width) {
    const Floats x = vector_of(in, j);
    largest_so_far = x > largest_so_far ? x : largest_so_far;
  }
  const float largest = simd::largest(largest_so_far);
  Floats sums{};
  for (std::size_t j = 0; j < in.size(); j += simd::width) {
    const Floats exponentials = exp_not_above_zero(vector_of(in, j) - largest);
    sums += exponentials;
    if (!out.empty()) simd::store_first(out.data() + j, std::min(simd::width, out.size() - j), exponentials);
  }
  const float sum = simd::sum(sums);
  for (float& value : out) value /= sum;
  return {largest, sum};
}

}  // namespace lockstep::math
