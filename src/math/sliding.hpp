// SPDX-License-Identifier: BSD-3-Clause
// Products with the matrix whose rows are one array seen from different places: what a convolution is made
// of.
#pragma once

#include <cstddef>
#include <span>

#include "math/matrix.hpp"

namespace lockstep::math {

/// The matrix S[l, p] = from[offsets[l] + p], p < count, which is never written down. Arrays that are read
/// along p hold values, whichever, up to whole_vectors(count).
struct SlidingView {
  const float* from = nullptr;
  std::span<const std::size_t> offsets;
  std::size_t count = 0;
};

/// `count` rounded up to whole vectors of the machine.
[[nodiscard]] std::size_t whole_vectors(std::size_t count);

/// out[r, p] = sum_l weights[r, l] S[l, p]; also writes, whatever comes, up to whole_vectors(count) in each
/// row.
void sliding_product(ConstMatrix weights, const SlidingView& sliding, Matrix out);

/// sums[r, l] = keep * sums[r, l] + scale * sum over i, p of rows_i[r, p] S_i[l, p], for `repeats` pairs of
/// row matrices and sliding views, which lie `rows_step` and `from_step` floats apart. rows_i[r, p] is 0 for
/// count <= p < whole_vectors(count). Sums are kept as vectors until the end, so that many repeats are cheap.
struct SlidingSums {
  ConstMatrix rows;
  std::size_t rows_step = 0;
  SlidingView sliding;
  std::size_t from_step = 0;
  std::size_t repeats = 1;
};
void add_sliding_sums(const SlidingSums& terms, float scale, float keep, Matrix sums);

}  // namespace lockstep::math
