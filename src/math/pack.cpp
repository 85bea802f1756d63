// SPDX-License-Identifier: BSD-3-Clause
// Packing, with vectors where sizes allow.
#include "math/pack.hpp"

#include <algorithm>

#include "core/simd.hpp"

namespace lockstep::math {
namespace {

// Four floats, on every architecture: the block that is transposed in registers.
constexpr std::size_t block = 4;
using Quad = float __attribute__((vector_size(16)));
typedef Quad QuadInMemory __attribute__((aligned(alignof(float)), may_alias));  // as in core/simd.hpp

void transpose_block(const float* from, std::size_t from_stride, float* to, std::size_t to_stride) {
  const auto row = [&](std::size_t i) -> Quad {
    return *reinterpret_cast<const QuadInMemory*>(from + i * from_stride);
  };
  const auto put = [&](std::size_t i, Quad values) {
    *reinterpret_cast<QuadInMemory*>(to + i * to_stride) = values;
  };
  // Constructions from two vectors, which compilers turn into shuffles.
  const auto low_pairs = [](Quad a, Quad b) { return Quad{a[0], b[0], a[1], b[1]}; };
  const auto high_pairs = [](Quad a, Quad b) { return Quad{a[2], b[2], a[3], b[3]}; };
  const auto low_halves = [](Quad a, Quad b) { return Quad{a[0], a[1], b[0], b[1]}; };
  const auto high_halves = [](Quad a, Quad b) { return Quad{a[2], a[3], b[2], b[3]}; };
  const Quad low01 = low_pairs(row(0), row(1));
  const Quad high01 = high_pairs(row(0), row(1));
  const Quad low23 = low_pairs(row(2), row(3));
  const Quad high23 = high_pairs(row(2), row(3));
  put(0, low_halves(low01, low23));
  put(1, high_halves(low01, low23));
  put(2, low_halves(high01, high23));
  put(3, high_halves(high01, high23));
}

}  // namespace

void pack_rows(ConstMatrix from, float* panel, std::size_t panel_columns) {
  for (std::size_t i = 0; i < from.rows; ++i, panel += panel_columns) {
    const float* row = from.data + i * from.stride;
    std::size_t j = 0;
    for (; j + simd::width <= from.cols; j += simd::width) {
      __builtin_prefetch(row + panel_columns + j, 0,
                         2);  // the next panel's part of the row, into a nearby cache
      simd::store(panel + j, simd::load(row + j));
    }
    for (; j < from.cols; ++j) panel[j] = row[j];
    for (; j < panel_columns; ++j) panel[j] = 0.0F;
  }
}

void pack_transposed(ConstMatrix from, float* panel, std::size_t panel_columns) {
  const std::size_t whole_rows = from.rows / block * block;
  const std::size_t whole_cols = from.cols / block * block;
  for (std::size_t j = 0; j < whole_rows; j += block) {
    for (std::size_t i = 0; i < whole_cols; i += block)
      transpose_block(from.data + j * from.stride + i, from.stride, panel + i * panel_columns + j,
                      panel_columns);
    for (std::size_t i = whole_cols; i < from.cols; ++i)
      for (std::size_t l = 0; l < block; ++l)
        panel[i * panel_columns + j + l] = from.data[(j + l) * from.stride + i];
  }
  for (std::size_t i = 0; i < from.cols; ++i) {
    float* row = panel + i * panel_columns;
    for (std::size_t j = whole_rows; j < from.rows; ++j) row[j] = from.data[j * from.stride + i];
    std::fill(row + from.rows, row + panel_columns, 0.0F);
  }
}

}  // namespace lockstep::math
