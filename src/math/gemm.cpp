// SPDX-License-Identifier: BSD-3-Clause
// The table of GEMM backends.
#include "math/gemm.hpp"

#include <array>

#include "core/names.hpp"

namespace lockstep::math {
namespace {

constexpr std::array table = {
    GemmRow{"tiled", "Lockstep's own: register tiles over packed panels, for small and flat products",
            make_tiled_gemm},
    GemmRow{"cblas", "the BLAS library that was linked (OpenBLAS, BLIS or MKL)", make_cblas_gemm},
    GemmRow{"eigen", "Eigen's own product, compiled for this build's ARCH", make_eigen_gemm},
};

}  // namespace

void Gemm::multiply(float alpha, ConstMatrix a, Op op_a, ConstMatrix b, Op op_b, float beta, Matrix c,
                    Stores stores) const {
  const GemmShape shape{op_a, op_b, c.rows, c.cols, op_a == Op::none ? a.cols : a.rows, stores};
  assert((op_a == Op::none ? a.rows : a.cols) == shape.m);
  assert((op_b == Op::none ? b.rows : b.cols) == shape.k);
  assert((op_b == Op::none ? b.cols : b.rows) == shape.n);
  if (shape.m == 0 || shape.n == 0) return;
  run(shape, alpha, a, b, beta, c);
}

std::span<const GemmRow> gemm_table() { return table; }

std::unique_ptr<Gemm> make_gemm(std::string_view name) {
  return find_row(gemm_table(), "GEMM backend", name).make();
}

}  // namespace lockstep::math
