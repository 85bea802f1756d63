// SPDX-License-Identifier: BSD-3-Clause
// Register tiles over sliding windows: as in a matrix product, but nothing is packed.
#include "math/implicit_gemm.hpp"

#include <algorithm>
#include <array>
#include <utility>

#include "core/simd.hpp"

namespace lockstep::math {
namespace {

using simd::Floats;

constexpr bool many_registers = simd::vector_registers == 32;

// Tiles of implicit_gemm: rows x vectors of positions.
constexpr std::size_t product_rows = many_registers ? 8 : 6;
constexpr std::size_t product_vectors = many_registers ? 3 : 2;

template <std::size_t ROWS, std::size_t VECTORS>
void product_tile(const float* weights, std::size_t stride, const float* from,
                  std::span<const std::size_t> offsets, float* out, std::size_t out_stride) {
  Floats sum[ROWS][VECTORS] = {};
  for (std::size_t l = 0; l < offsets.size(); ++l) {
    const float* const at = from + offsets[l];
    Floats value[VECTORS];
    for (std::size_t v = 0; v < VECTORS; ++v) value[v] = simd::load(at + v * simd::width);
#pragma GCC unroll 8
    for (std::size_t r = 0; r < ROWS; ++r) {
      const Floats weight = simd::broadcast(weights[r * stride + l]);
      for (std::size_t v = 0; v < VECTORS; ++v) sum[r][v] += weight * value[v];
    }
  }
  // Unrolled, or the sums would go through memory to be counted through.
#pragma GCC unroll 8
  for (std::size_t r = 0; r < ROWS; ++r)
#pragma GCC unroll 4
    for (std::size_t v = 0; v < VECTORS; ++v) simd::store(out + r * out_stride + v * simd::width, sum[r][v]);
}

using ProductTile = void(const float*, std::size_t, const float*, std::span<const std::size_t>, float*,
                         std::size_t);
template <std::size_t... I>
constexpr std::array<ProductTile*, sizeof...(I)> product_tiles(std::index_sequence<I...>) {
  return {product_tile<I / product_vectors + 1, I % product_vectors + 1>...};
}
constexpr auto product_table = product_tiles(std::make_index_sequence<product_rows * product_vectors>());

// Tiles of add_implicit_gemm_transposed: rows x offsets, each sum a vector along the positions.
constexpr std::size_t sum_rows = many_registers ? 4 : 2;
constexpr std::size_t sum_offsets = many_registers ? 5 : 4;

template <std::size_t ROWS, std::size_t OFFSETS>
void sum_tile(const TransposedTerms& terms, std::size_t first_row, std::size_t first_offset, float scale,
              float beta, Matrix sums) {
  Floats sum[ROWS][OFFSETS] = {};
  const std::size_t length = whole_vectors(terms.windows.count);
  const float* row[ROWS];
  const float* view[OFFSETS];
  for (std::size_t i = 0; i < terms.repeats; ++i) {
    for (std::size_t r = 0; r < ROWS; ++r)
      row[r] = terms.rows.data + i * terms.rows_step + (first_row + r) * terms.rows.stride;
    for (std::size_t l = 0; l < OFFSETS; ++l)
      view[l] = terms.windows.from + i * terms.from_step + terms.windows.offsets[first_offset + l];
    for (std::size_t p = 0; p < length; p += simd::width) {
      Floats of_row[ROWS];
#pragma GCC unroll 8
      for (std::size_t r = 0; r < ROWS; ++r) of_row[r] = simd::load(row[r] + p);
#pragma GCC unroll 8
      for (std::size_t l = 0; l < OFFSETS; ++l) {
        const Floats value = simd::load_once(view[l] + p);
#pragma GCC unroll 8
        for (std::size_t r = 0; r < ROWS; ++r) sum[r][l] += of_row[r] * value;
      }
    }
  }
  // Unrolled, or the sums would go through memory to be counted through.
#pragma GCC unroll 8
  for (std::size_t r = 0; r < ROWS; ++r)
#pragma GCC unroll 8
    for (std::size_t l = 0; l < OFFSETS; ++l) {
      float& to = sums.data[(first_row + r) * sums.stride + first_offset + l];
      to = scale * simd::sum(sum[r][l]) + (beta == 0.0F ? 0.0F : beta * to);
    }
}

using SumTile = void(const TransposedTerms&, std::size_t, std::size_t, float, float, Matrix);
template <std::size_t... I>
constexpr std::array<SumTile*, sizeof...(I)> sum_tiles(std::index_sequence<I...>) {
  return {sum_tile<I / sum_offsets + 1, I % sum_offsets + 1>...};
}
constexpr auto sum_table = sum_tiles(std::make_index_sequence<sum_rows * sum_offsets>());

}  // namespace

std::size_t whole_vectors(std::size_t count) { return (count + simd::width - 1) / simd::width * simd::width; }

void implicit_gemm(ConstMatrix weights, const SlidingWindows& windows, Matrix out) {
  const std::size_t vectors = whole_vectors(windows.count) / simd::width;
  for (std::size_t r = 0; r < weights.rows; r += product_rows) {
    const std::size_t rows = std::min(product_rows, weights.rows - r);
    for (std::size_t v = 0; v < vectors; v += product_vectors) {
      const std::size_t together = std::min(product_vectors, vectors - v);
      product_table[(rows - 1) * product_vectors + together - 1](
          weights.data + r * weights.stride, weights.stride, windows.from + v * simd::width, windows.offsets,
          out.data + r * out.stride + v * simd::width, out.stride);
    }
  }
}

void add_implicit_gemm_transposed(const TransposedTerms& terms, float scale, float beta, Matrix sums) {
  for (std::size_t r = 0; r < sums.rows; r += sum_rows) {
    const std::size_t rows = std::min(sum_rows, sums.rows - r);
    for (std::size_t l = 0; l < sums.cols; l += sum_offsets) {
      const std::size_t offsets = std::min(sum_offsets, sums.cols - l);
      sum_table[(rows - 1) * sum_offsets + offsets - 1](terms, r, l, scale, beta, sums);
    }
  }
}

}  // namespace lockstep::math
