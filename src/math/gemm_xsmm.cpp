// SPDX-License-Identifier: BSD-3-Clause
// GEMM through kernels that libxsmm generates as the program runs, one for each shape.
#include <algorithm>

#include <libxsmm.h>

#include "core/aligned.hpp"
#include "math/gemm.hpp"
#include "math/pack.hpp"

namespace lockstep::math {
namespace {

/// libxsmm is column-major, where a row-major matrix is its transpose: C^T = op(B)^T op(A)^T. Its kernels
/// know alpha = 1, beta = 0 or 1, and take op(B)^T as it lies only when B is not transposed. libxsmm_sgemm
/// hands everything else, and all products beyond 64^3, to BLAS; here alpha and a transposed B become part of
/// a copy of an operand, other betas are applied to C beforehand, and a kernel serves the whole product.
class XsmmGemm final : public Gemm {
 public:
  XsmmGemm() : without_kernel_(make_tiled_gemm()) { libxsmm_init(); }

 protected:
  void run(const GemmShape& shape, Stores stores, float alpha, ConstMatrix a, ConstMatrix b, float beta,
           Matrix c) const override {
    const bool copies_b = shape.op_b == Op::transpose;
    const bool scales = alpha != 1.0F;
    const bool copies_a = scales && !copies_b && shape.m * shape.k < shape.k * shape.n;
    const ConstMatrix kernel_a(a.data, a.rows, a.cols, copies_a ? a.cols : a.stride);
    const std::size_t b_stride = copies_b || (scales && !copies_a) ? shape.n : b.stride;
    const libxsmm_smmfunction kernel =
        shape.k == 0 ? nullptr : find_kernel(shape, kernel_a.stride, b_stride, beta != 0.0F, c.stride);
    // No depth to sum over, too large a kernel for libxsmm, or a processor for which it generates none.
    if (kernel == nullptr)
      return without_kernel_->multiply(alpha, a, shape.op_a, b, shape.op_b, beta, c, stores);

    if (beta != 0.0F && beta != 1.0F)
      for (std::size_t i = 0; i < c.rows; ++i)
        for (float& value : c.row(i)) value *= beta;
    const float* from_a = a.data;
    const float* from_b = b.data;
    if (copies_b) {
      pack_transposed(b, room(shape.k * shape.n), shape.n);
      if (scales) scale(alpha, shape.k * shape.n);
      from_b = copy_.data();
    } else if (copies_a) {
      pack_rows(a, room(a.size()), a.cols);
      scale(alpha, a.size());
      from_a = copy_.data();
    } else if (scales) {
      pack_rows(b, room(b.size()), b.cols);
      scale(alpha, b.size());
      from_b = copy_.data();
    }
    kernel(from_b, from_a, c.data);
  }

 private:
  // Made at the first call with these sizes, which takes a millisecond or less; found in a table after that.
  static libxsmm_smmfunction find_kernel(const GemmShape& shape, std::size_t a_stride, std::size_t b_stride,
                                         bool adds, std::size_t c_stride) {
    const auto size = [](std::size_t n) { return static_cast<libxsmm_blasint>(n); };
    const libxsmm_blasint lda = size(b_stride), ldb = size(a_stride), ldc = size(c_stride);
    const float one = 1.0F;
    const float beta = adds ? 1.0F : 0.0F;
    const int flags = shape.op_a == Op::transpose ? LIBXSMM_GEMM_FLAG_TRANS_B : LIBXSMM_GEMM_FLAG_NONE;
    const int prefetch = LIBXSMM_GEMM_PREFETCH_NONE;
    return libxsmm_smmdispatch(size(shape.n), size(shape.m), size(shape.k), &lda, &ldb, &ldc, &one, &beta,
                               &flags, &prefetch);
  }

  float* room(std::size_t floats) const {
    if (copy_.size() < floats) copy_.resize(floats);
    return copy_.data();
  }
  void scale(float alpha, std::size_t floats) const {
    for (float& value : std::span(copy_).first(floats)) value *= alpha;
  }

  std::unique_ptr<Gemm> without_kernel_;
  mutable AlignedVector<float>
      copy_;  // of an operand; grows with the first products, a Gemm serves one thread
};

}  // namespace

std::unique_ptr<Gemm> make_xsmm_gemm() { return std::make_unique<XsmmGemm>(); }

}  // namespace lockstep::math
