// SPDX-License-Identifier: BSD-3-Clause
// Lockstep's own GEMM, for the small and flat products of training steps.
#include <algorithm>
#include <array>
#include <utility>

#include "core/aligned.hpp"
#include "core/simd.hpp"
#include "math/gemm.hpp"
#include "math/pack.hpp"

namespace lockstep::math {
namespace {

using simd::Floats;

// A tile of C is tile_rows x (tile_vectors * width) and stays in registers: its accumulators, one register
// for each vector of B and one for the element of A fill the register file.
constexpr bool many_registers = simd::vector_registers == 32;
constexpr std::size_t tile_rows = many_registers ? 8 : 6;
constexpr std::size_t tile_vectors = many_registers ? 3 : 2;
// A panel of B, depth x one tile's columns, is to stay in the first-level cache.
constexpr std::size_t largest_depth = 256;

/// What a tile is multiplied from: element (i, l) of op(A) is a[i * row_stride + l * depth_stride], of which
/// one stride is 1; row l of the packed panel of B is panel[l * columns .. + columns]. The first tile of a
/// panel may be the one that packs it, out of b[l * b_stride .. + columns]: the stores hide behind its
/// arithmetic.
struct TileOperands {
  std::size_t depth;
  const float* a;
  std::size_t stride;  // the one that is not 1
  float* panel;
  const float* b;
  std::size_t b_stride;
  const float* coming;  // where the panel after this one will be packed from: a line of each row is asked for
  std::size_t coming_stride;  // in each tile, since no hardware sees such strides coming
};

/// Where a tile goes: C = alpha A B + beta C. C is not read where beta is 0.
struct TileResult {
  float alpha, beta;
  float* c;
  std::size_t stride;
  bool streamed;
};

/// Computes C[ROWS, VECTORS * width].
template <std::size_t ROWS, std::size_t VECTORS, bool ROWS_CONTIGUOUS, bool PACKS>
void multiply_tile(const TileOperands& operands, const TileResult& result) {
  Floats sum[ROWS][VECTORS] = {};
  if (result.beta != 0.0F)  // C is strided: no hardware sees the next tile coming
    for (std::size_t i = ROWS; i < 2 * ROWS; ++i)
      for (std::size_t v = 0; v < VECTORS; ++v)
        __builtin_prefetch(result.c + i * result.stride + v * simd::width, 1);
  const float* a = operands.a;
  float* panel = operands.panel;
  const float* b = operands.b;
  const float* coming = operands.coming;
  const std::size_t stride = operands.stride;
  for (std::size_t l = 0; l < operands.depth; ++l) {
    __builtin_prefetch(coming, 0, 2);
    coming += operands.coming_stride;
    Floats of_b[VECTORS];
    for (std::size_t v = 0; v < VECTORS; ++v) {
      of_b[v] = simd::load((PACKS ? b : panel) + v * simd::width);
      if (PACKS) simd::store(panel + v * simd::width, of_b[v]);
    }
#pragma GCC unroll 8
    for (std::size_t i = 0; i < ROWS; ++i) {
      const Floats of_a = simd::broadcast(ROWS_CONTIGUOUS ? a[i] : a[i * stride]);
      for (std::size_t v = 0; v < VECTORS; ++v) sum[i][v] += of_a * of_b[v];
    }
    a += ROWS_CONTIGUOUS ? stride : 1;
    panel += VECTORS * simd::width;
    if (PACKS) b += operands.b_stride;
  }
  // Unrolled, or the sums would go through memory to be counted through.
#pragma GCC unroll 8
  for (std::size_t i = 0; i < ROWS; ++i)
#pragma GCC unroll 4
    for (std::size_t v = 0; v < VECTORS; ++v) {
      float* to = result.c + i * result.stride + v * simd::width;
      Floats value = result.alpha * sum[i][v];
      if (result.beta != 0.0F) value += result.beta * simd::load(to);
      if (result.streamed)
        simd::stream(to, value);
      else
        simd::store(to, value);
    }
}

using TileKernel = void(const TileOperands&, const TileResult&);

// [packs][rows contiguous][rows - 1][vectors - 1]
template <bool ROWS_CONTIGUOUS, bool PACKS, std::size_t... I>
constexpr auto kernels_for(std::index_sequence<I...>) {
  return std::array<TileKernel*, sizeof...(I)>{
      multiply_tile<I / tile_vectors + 1, I % tile_vectors + 1, ROWS_CONTIGUOUS, PACKS>...};
}
constexpr std::make_index_sequence<tile_rows * tile_vectors> every_size;
constexpr std::array kernels = {
    std::array{kernels_for<false, false>(every_size), kernels_for<true, false>(every_size)},
    std::array{kernels_for<false, true>(every_size), kernels_for<true, true>(every_size)}};

TileKernel* kernel(bool packs, bool rows_contiguous, std::size_t rows, std::size_t vectors) {
  return kernels[packs ? 1 : 0][rows_contiguous ? 1 : 0][(rows - 1) * tile_vectors + vectors - 1];
}

std::size_t divide_up(std::size_t a, std::size_t b) { return (a + b - 1) / b; }

// How many vectors of columns the next panel takes of those left: full tiles, but 2 + 2 rather than 3 + 1,
// since a tile of one vector waits for its loads.
std::size_t panel_vectors(std::size_t left) {
  if (left == tile_vectors + 1 && tile_vectors > 2) return tile_vectors - 1;
  return std::min(left, tile_vectors);
}

/// After Goto & van de Geijn, "Anatomy of high-performance matrix multiplication", 2008, cut down to what the
/// products of a training step need: panels of B are packed, whatever its strides; A, of which a tile reads
/// some rows or columns, is read where it lies. Blocks of depth, then panels of columns, then tiles of rows.
class TiledGemm final : public Gemm {
 public:
  TiledGemm() : panel_(largest_depth * tile_vectors * simd::width) {}

 protected:
  void run(const GemmShape& shape, float alpha, ConstMatrix a, ConstMatrix b, float beta,
           Matrix c) const override {
    const std::size_t blocks = std::max<std::size_t>(1, divide_up(shape.k, largest_depth));
    const std::size_t largest_block = divide_up(shape.k, blocks);
    for (std::size_t block = 0; block < blocks; ++block) {
      const std::size_t depth_begin = std::min(block * largest_block, shape.k);
      const std::size_t depth = std::min(largest_block, shape.k - depth_begin);
      const float block_beta = block == 0 ? beta : 1.0F;
      std::size_t vectors = 0;
      for (std::size_t column = 0; column < shape.n; column += vectors * simd::width) {
        vectors = panel_vectors(divide_up(shape.n - column, simd::width));
        const bool last_panel = column + vectors * simd::width >= shape.n;
        coming_ = last_panel ? ConstMatrix(b.data + (depth_begin + largest_block) * b.stride, 0, 0, b.stride)
                             : ConstMatrix(b.data + depth_begin * b.stride + column + vectors * simd::width,
                                           0, 0, b.stride);
        if (shape.op_b == Op::transpose || (last_panel && block + 1 == blocks)) coming_ = {};
        ConstMatrix unpacked{};
        if (shape.op_b == Op::none && column + vectors * simd::width <= shape.n)
          unpacked = {b.data + depth_begin * b.stride + column, depth, vectors * simd::width, b.stride};
        else
          pack(shape, b, depth_begin, depth, column, vectors * simd::width);
        const bool last = block + 1 == blocks;  // what is read again should not be streamed
        multiply_panel(shape, alpha, a, unpacked, depth_begin, depth, column, vectors, block_beta, c,
                       last && streams(shape, c));
      }
    }
  }

 private:
  static bool streams(const GemmShape& shape, Matrix c) {
    return shape.stores == Stores::streamed && simd::can_stream(c.data) && c.stride % simd::width == 0;
  }

  // panel_[l, j] = op(B)[depth_begin + l, column + j], zero beyond the last column.
  void pack(const GemmShape& shape, ConstMatrix b, std::size_t depth_begin, std::size_t depth,
            std::size_t column, std::size_t panel_columns) const {
    const std::size_t columns = std::min(panel_columns, shape.n - column);
    if (shape.op_b == Op::none)
      pack_rows({b.data + depth_begin * b.stride + column, depth, columns, b.stride}, panel_.data(),
                panel_columns);
    else
      pack_transposed({b.data + column * b.stride + depth_begin, columns, depth, b.stride}, panel_.data(),
                      panel_columns);
  }

  // `unpacked`: where the panel lies in B if it was not packed yet.
  void multiply_panel(const GemmShape& shape, float alpha, ConstMatrix a, ConstMatrix unpacked,
                      std::size_t depth_begin, std::size_t depth, std::size_t column, std::size_t vectors,
                      float beta, Matrix c, bool streamed) const {
    const bool rows_contiguous = shape.op_a == Op::transpose;
    const std::size_t columns = std::min(vectors * simd::width, shape.n - column);
    for (std::size_t row = 0; row < shape.m; row += tile_rows) {
      const std::size_t rows = std::min(tile_rows, shape.m - row);
      const float* from =
          rows_contiguous ? a.data + depth_begin * a.stride + row : a.data + row * a.stride + depth_begin;
      // The first tiles ask for one vector of columns each.
      const std::size_t tile = row / tile_rows;
      const bool asks = !coming_.empty() && tile < tile_vectors;
      const TileOperands operands{depth,
                                  from,
                                  a.stride,
                                  panel_.data(),
                                  unpacked.data,
                                  unpacked.stride,
                                  asks ? coming_.data + tile * simd::width : panel_.data(),
                                  asks ? coming_.stride : 0};
      float* to = c.data + row * c.stride + column;
      const bool packs = row == 0 && !unpacked.empty();
      TileKernel* const run_tile = kernel(packs, rows_contiguous, rows, vectors);
      if (columns == vectors * simd::width)
        run_tile(operands, {alpha, beta, to, c.stride, streamed});
      else
        multiply_edge(run_tile, operands, alpha, beta, {to, rows, columns, c.stride});
    }
  }

  // A tile that reaches beyond the last column is computed aside.
  static void multiply_edge(TileKernel* run_tile, const TileOperands& operands, float alpha, float beta,
                            Matrix c) {
    alignas(cache_line_bytes) float tile[tile_rows * tile_vectors * simd::width];
    const std::size_t tile_stride = divide_up(c.cols, simd::width) * simd::width;
    run_tile(operands, {alpha, 0.0F, tile, tile_stride, false});
    for (std::size_t i = 0; i < c.rows; ++i)
      for (std::size_t j = 0; j < c.cols; ++j) {
        float& to = c.data[i * c.stride + j];
        to = tile[i * tile_stride + j] + (beta == 0.0F ? 0.0F : beta * to);
      }
  }

  // Scratch of a product; a Gemm serves one thread.
  mutable AlignedVector<float> panel_;  // of B
  mutable ConstMatrix coming_;  // where the next panel begins, with B's stride; empty if there is none
};

}  // namespace

std::unique_ptr<Gemm> make_tiled_gemm() { return std::make_unique<TiledGemm>(); }

}  // namespace lockstep::math
