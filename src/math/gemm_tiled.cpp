// SPDX-License-Identifier: BSD-3-Clause
// Lockstep's own GEMM, for the small and flat products of training steps.
#include <algorithm>
#include <array>
#include <span>
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
// A panel of B, depth x one tile's columns, that was packed is to stay in the first-level cache.
constexpr std::size_t largest_packed_depth = 256;
// One that is read where it lies stays in the second-level cache, which keeps up with the arithmetic.
constexpr std::size_t largest_depth = 1024;

// Reading a panel where it lies pays as long as a page holds some lines of it: else the translation of
// addresses takes longer than the arithmetic (AVX2, whose panels are one line wide, from rows of 2 KiB on).
bool in_place_pays(std::size_t stride) {
  constexpr std::size_t page_bytes = 4096;
  constexpr std::size_t lines = 3;
  constexpr std::size_t panel_bytes = tile_vectors * simd::vector_bytes;
  const std::size_t row_bytes = std::min(stride * sizeof(float), page_bytes);
  return panel_bytes * page_bytes >= lines * cache_line_bytes * row_bytes;
}

/// What tiles, one below the other, are multiplied from: element (i, l) of op(A) is a[i * row_stride + l *
/// depth_stride], of which one stride is 1; row l of the panel of B is b[l * b_stride ..]. The first tile of
/// a panel may be the one that packs it, into packed[l * columns ..]: the stores hide behind its arithmetic.
struct TileOperands {
  std::size_t tiles, depth;
  const float* a;
  std::size_t a_stride;  // the one that is not 1
  const float* b;
  std::size_t b_stride;
  float* packed;
  const float* coming;  // what is needed later: a line is asked for with each l, since no hardware sees such
  std::size_t coming_stride;  // strides coming
};

/// Where the tiles go: C = A B + beta D. D is C, or one row that is every row of D (its stride is 0 then). It
/// is not read where beta is 0.
struct TileResult {
  float beta;
  const float* d;
  std::size_t d_stride;
  float* c;
  std::size_t stride;
  bool streamed;
};

/// Computes one tile, C[ROWS, VECTORS * width].
template <std::size_t ROWS, std::size_t VECTORS, bool ROWS_CONTIGUOUS, bool PACKS>
inline void multiply_tile(const TileOperands& operands, const float* a, const float* coming, const float* d,
                          float* c, const TileResult& result) {
  Floats sum[ROWS][VECTORS] = {};
  const float beta = result.beta;
  const std::size_t c_stride = result.stride;
  if (beta != 0.0F)  // C is strided: no hardware sees the next tile coming
    for (std::size_t i = ROWS; i < 2 * ROWS; ++i)
      for (std::size_t v = 0; v < VECTORS; ++v) __builtin_prefetch(c + i * c_stride + v * simd::width, 1);
  const float* b = operands.b;
  float* packed = operands.packed;
  const std::size_t stride = operands.a_stride;
  for (std::size_t l = 0; l < operands.depth; ++l) {
    __builtin_prefetch(coming, 0, 2);
    coming += operands.coming_stride;
    Floats of_b[VECTORS];
    for (std::size_t v = 0; v < VECTORS; ++v) {
      of_b[v] = simd::load(b + v * simd::width);
      if (PACKS) simd::store(packed + v * simd::width, of_b[v]);
    }
#pragma GCC unroll 8
    for (std::size_t i = 0; i < ROWS; ++i) {
      const Floats of_a = simd::broadcast(ROWS_CONTIGUOUS ? a[i] : a[i * stride]);
      for (std::size_t v = 0; v < VECTORS; ++v) sum[i][v] += of_a * of_b[v];
    }
    a += ROWS_CONTIGUOUS ? stride : 1;
    b += operands.b_stride;
    if (PACKS) packed += VECTORS * simd::width;
  }
  const auto add = [&](auto value_of) {
    const float* row = d;
#pragma GCC unroll 8
    for (std::size_t i = 0; i < ROWS; ++i, row += result.d_stride)
#pragma GCC unroll 4
      for (std::size_t v = 0; v < VECTORS; ++v)
        sum[i][v] = value_of(sum[i][v], simd::load(row + v * simd::width));
  };
  if (beta == 1.0F)
    add([](Floats value, Floats old) { return value + old; });
  else if (beta != 0.0F)
    add([beta](Floats value, Floats old) { return value + beta * old; });
  const auto put = [&](auto store) {
    float* row = c;
#pragma GCC unroll 8
    for (std::size_t i = 0; i < ROWS; ++i, row += c_stride)
#pragma GCC unroll 4
      for (std::size_t v = 0; v < VECTORS; ++v) store(row + v * simd::width, sum[i][v]);
  };
  if (result.streamed)
    put(simd::stream);
  else
    put(simd::store);
}

/// Computes all tiles: called once for many, since calls cost where tiles are flat (the batch is their
/// depth).
template <std::size_t ROWS, std::size_t VECTORS, bool ROWS_CONTIGUOUS, bool PACKS>
void multiply_tiles(const TileOperands& operands, const TileResult& result) {
  const float* a = operands.a;
  const float* coming = operands.coming;
  const float* d = result.d;
  float* c = result.c;
  for (std::size_t tile = 0; tile < operands.tiles; ++tile) {
    multiply_tile<ROWS, VECTORS, ROWS_CONTIGUOUS, PACKS>(operands, a, coming, d, c, result);
    a += ROWS_CONTIGUOUS ? ROWS : ROWS * operands.a_stride;
    coming += ROWS_CONTIGUOUS ? ROWS : 0;
    d += ROWS * result.d_stride;
    c += ROWS * result.stride;
  }
}

using TileKernel = void(const TileOperands&, const TileResult&);

// [packs][rows contiguous][rows - 1][vectors - 1]
template <bool ROWS_CONTIGUOUS, bool PACKS, std::size_t... I>
constexpr auto kernels_for(std::index_sequence<I...>) {
  return std::array<TileKernel*, sizeof...(I)>{
      multiply_tiles<I / tile_vectors + 1, I % tile_vectors + 1, ROWS_CONTIGUOUS, PACKS>...};
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
/// products of a training step need: A, of which a tile reads some rows or columns, is read where it lies,
/// and so are panels of B where that pays. Others are packed, and transposed, scaled or filled up on the way.
/// Blocks of depth, then panels of columns, then tiles of rows.
class TiledGemm final : public Gemm {
 public:
  TiledGemm() : packed_(largest_depth * tile_vectors * simd::width) {}

 protected:
  void run(const GemmShape& shape, Stores stores, float alpha, ConstMatrix a, ConstMatrix b, float beta,
           Matrix c) const override {
    multiply_blocks(shape, stores, alpha, a, b, beta, c, c);
  }
  void run_add_row(const GemmShape& shape, ConstMatrix a, ConstMatrix b, std::span<const float> row,
                   Matrix c) const override {
    multiply_blocks(shape, Stores::cached, 1.0F, a, b, 1.0F, {row.data(), shape.m, shape.n, 0}, c);
  }

 private:
  // C = alpha op(A) op(B) + beta D, with D as TileResult has it.
  void multiply_blocks(const GemmShape& shape, Stores stores, float alpha, ConstMatrix a, ConstMatrix b,
                       float beta, ConstMatrix d, Matrix c) const {
    const bool in_place = shape.op_b == Op::none && alpha == 1.0F && in_place_pays(b.stride);
    const std::size_t deepest = in_place ? largest_depth : largest_packed_depth;
    const std::size_t blocks = std::max<std::size_t>(1, divide_up(shape.k, deepest));
    const std::size_t largest_block = divide_up(shape.k, blocks);
    for (std::size_t block = 0; block < blocks; ++block) {
      const std::size_t depth_begin = std::min(block * largest_block, shape.k);
      const std::size_t depth = std::min(largest_block, shape.k - depth_begin);
      const float block_beta = block == 0 ? beta : 1.0F;
      const ConstMatrix block_d = block == 0 ? d : c;
      std::size_t vectors = 0;
      for (std::size_t column = 0; column < shape.n; column += vectors * simd::width) {
        vectors = panel_vectors(divide_up(shape.n - column, simd::width));
        const bool last_panel = column + vectors * simd::width >= shape.n;
        next_panel_ = last_panel
                          ? ConstMatrix(b.data + (depth_begin + largest_block) * b.stride, 0, 0, b.stride)
                          : ConstMatrix(b.data + depth_begin * b.stride + column + vectors * simd::width, 0,
                                        0, b.stride);
        if (shape.op_b == Op::transpose || (last_panel && block + 1 == blocks)) next_panel_ = {};
        const std::size_t columns = vectors * simd::width;
        const bool as_it_lies = shape.op_b == Op::none && alpha == 1.0F && column + columns <= shape.n;
        const ConstMatrix panel =
            as_it_lies ? ConstMatrix(b.data + depth_begin * b.stride + column, depth, columns, b.stride)
                       : pack(shape, alpha, b, depth_begin, depth, column, columns);
        const bool last = block + 1 == blocks;  // what is read again should not be streamed
        multiply_panel(shape, a, panel, as_it_lies && !in_place, depth_begin, column, block_beta, block_d, c,
                       last && streams(stores, c));
      }
    }
  }

  static bool streams(Stores stores, Matrix c) {
    return stores == Stores::streamed && simd::can_stream(c.data) && c.stride % simd::width == 0;
  }

  // Returns panel[l, j] = alpha op(B)[depth_begin + l, column + j], zero beyond the last column.
  ConstMatrix pack(const GemmShape& shape, float alpha, ConstMatrix b, std::size_t depth_begin,
                   std::size_t depth, std::size_t column, std::size_t panel_columns) const {
    const std::size_t columns = std::min(panel_columns, shape.n - column);
    if (shape.op_b == Op::none)
      pack_rows({b.data + depth_begin * b.stride + column, depth, columns, b.stride}, packed_.data(),
                panel_columns);
    else
      pack_transposed({b.data + column * b.stride + depth_begin, columns, depth, b.stride}, packed_.data(),
                      panel_columns);
    if (alpha != 1.0F)
      for (float& value : std::span(packed_).first(depth * panel_columns)) value *= alpha;
    return {packed_.data(), depth, panel_columns, panel_columns};
  }

  // `packs`: the first tile does it, the others read what it packed.
  void multiply_panel(const GemmShape& shape, ConstMatrix a, ConstMatrix panel, bool packs,
                      std::size_t depth_begin, std::size_t column, float beta, ConstMatrix d, Matrix c,
                      bool streamed) const {
    const bool rows_contiguous = shape.op_a == Op::transpose;
    const std::size_t columns = std::min(panel.cols, shape.n - column);
    std::size_t tiles = 0;
    for (std::size_t row = 0; row < shape.m; row += tiles * tile_rows) {
      const std::size_t rows = std::min(tile_rows, shape.m - row);
      const float* from =
          rows_contiguous ? a.data + depth_begin * a.stride + row : a.data + row * a.stride + depth_begin;
      // The first tiles ask for the next panel, one vector of columns each; the others, where A is
      // transposed, for the lines of it that come next.
      const std::size_t tile = row / tile_rows;
      ConstMatrix coming(panel.data, 0, 0, 0);  // nothing new
      if (!next_panel_.empty() && tile < tile_vectors)
        coming = {next_panel_.data + tile * simd::width, 0, 0, next_panel_.stride};
      else if (rows_contiguous)
        coming = {from + cache_line_bytes / sizeof(float), 0, 0, a.stride};
      const bool many = tile >= tile_vectors && columns == panel.cols && rows == tile_rows;
      tiles = many ? (shape.m - row) / tile_rows : 1;
      const TileOperands operands{tiles,        panel.rows,     from,        a.stride,     panel.data,
                                  panel.stride, packed_.data(), coming.data, coming.stride};
      const float* added = d.data + row * d.stride + column;
      float* to = c.data + row * c.stride + column;
      TileKernel* const run_tile = kernel(packs && row == 0, rows_contiguous, rows, panel.cols / simd::width);
      if (columns == panel.cols)
        run_tile(operands, {beta, added, d.stride, to, c.stride, streamed});
      else
        multiply_edge(run_tile, operands, beta, {added, rows, columns, d.stride},
                      {to, rows, columns, c.stride});
      if (packs) panel = {packed_.data(), panel.rows, panel.cols, panel.cols};
    }
  }

  // A tile that reaches beyond the last column is computed aside.
  static void multiply_edge(TileKernel* run_tile, const TileOperands& operands, float beta, ConstMatrix d,
                            Matrix c) {
    alignas(cache_line_bytes) float tile[tile_rows * tile_vectors * simd::width];
    const std::size_t tile_stride = divide_up(c.cols, simd::width) * simd::width;
    // cppcheck-suppress legacyUninitvar  // with beta 0 the tile is written and not read
    run_tile(operands, {0.0F, tile, tile_stride, tile, tile_stride, false});
    for (std::size_t i = 0; i < c.rows; ++i)
      for (std::size_t j = 0; j < c.cols; ++j)
        c.data[i * c.stride + j] =
            tile[i * tile_stride + j] + (beta == 0.0F ? 0.0F : beta * d.data[i * d.stride + j]);
  }

  // Scratch of a product; a Gemm serves one thread.
  mutable AlignedVector<float> packed_;  // a panel of B
  mutable ConstMatrix next_panel_;  // where the next panel begins, with B's stride; empty if there is none
};

}  // namespace

std::unique_ptr<Gemm> make_tiled_gemm() { return std::make_unique<TiledGemm>(); }

}  // namespace lockstep::math
