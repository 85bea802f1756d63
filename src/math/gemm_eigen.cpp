// SPDX-License-Identifier: BSD-3-Clause
// Eigen's product as this build's ARCH has it.
#include "math/gemm_eigen_product.hpp"

namespace lockstep::math {

std::unique_ptr<Gemm> make_eigen_gemm() { return std::make_unique<EigenGemm>(); }

}  // namespace lockstep::math
