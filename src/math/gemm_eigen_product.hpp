// SPDX-License-Identifier: BSD-3-Clause
// GEMM through Eigen's own kernels, for source files that compile it with flags of their own.
#pragma once

#include <Eigen/Core>

#include "math/gemm.hpp"

namespace lockstep::math {
// Unnamed although in a header: each file that includes it has its own, which the linker merges with no
// other.
namespace {

using RowMajor = Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
using Map = Eigen::Map<RowMajor, Eigen::Unaligned, Eigen::OuterStride<>>;
using ConstMap = Eigen::Map<const RowMajor, Eigen::Unaligned, Eigen::OuterStride<>>;

Eigen::Index index(std::size_t n) { return static_cast<Eigen::Index>(n); }
ConstMap map(ConstMatrix m) {
  return {m.data, index(m.rows), index(m.cols), Eigen::OuterStride<>(index(m.stride))};
}

template <class A, class B>
void multiply_into(float alpha, const A& a, const B& b, float beta, Map& c) {
  if (beta == 0.0F)
    c.setZero();
  else if (beta != 1.0F)
    c *= beta;
  c.noalias() += alpha * (a * b);
}

class EigenGemm final : public Gemm {
 protected:
  void run(const GemmShape& shape, Stores /*stores*/, float alpha, ConstMatrix a, ConstMatrix b, float beta,
           Matrix c) const override {
    const ConstMap a_map = map(a);
    const ConstMap b_map = map(b);
    Map c_map(c.data, index(c.rows), index(c.cols), Eigen::OuterStride<>(index(c.stride)));
    const bool ta = shape.op_a == Op::transpose;
    const bool tb = shape.op_b == Op::transpose;
    if (ta && tb)
      multiply_into(alpha, a_map.transpose(), b_map.transpose(), beta, c_map);
    else if (ta)
      multiply_into(alpha, a_map.transpose(), b_map, beta, c_map);
    else if (tb)
      multiply_into(alpha, a_map, b_map.transpose(), beta, c_map);
    else
      multiply_into(alpha, a_map, b_map, beta, c_map);
  }
};

}  // namespace

}  // namespace lockstep::math
