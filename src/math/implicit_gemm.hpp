// SPDX-License-Identifier: BSD-3-Clause
// Implicit GEMM: products with the im2col matrix of a convolution, which is read from the image in place.
#pragma once

#include <cstddef>
#include <span>

#include "math/matrix.hpp"

namespace lockstep::math {

/// The matrix S[l, p] = from[offsets[l] + p], p < count: row l is the image as window element l sees it. S is
/// never written. Reads go up to whole_vectors(count); what lies there may have any value.
struct SlidingWindows {
  const float* from = nullptr;
  std::span<const std::size_t> offsets;
  std::size_t count = 0;
};

/// `count` rounded up to whole vectors of the machine.
[[nodiscard]] std::size_t whole_vectors(std::size_t count);

/// out[r, p] = sum_l weights[r, l] S[l, p]. Writes up to whole_vectors(count) in each row; values past count
/// mean nothing.
void implicit_gemm(ConstMatrix weights, const SlidingWindows& windows, Matrix out);

/// sums[r, l] = beta * sums[r, l] + scale * sum over i, p of rows_i[r, p] S_i[l, p], for `repeats` pairs of
/// row matrices and windows, which lie `rows_step` and `from_step` floats apart. rows_i[r, p] is 0 for
/// count <= p < whole_vectors(count). Sums are kept as vectors until the end, so that many repeats are cheap.
struct TransposedTerms {
  ConstMatrix rows;
  std::size_t rows_step = 0;
  SlidingWindows windows;
  std::size_t from_step = 0;
  std::size_t repeats = 1;
};
void add_implicit_gemm_transposed(const TransposedTerms& terms, float scale, float beta, Matrix sums);

}  // namespace lockstep::math
