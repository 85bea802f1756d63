// SPDX-License-Identifier: BSD-3-Clause
// Eigen's product once more, for builds whose ARCH has AVX-512: this file is compiled without it
// (mk/build.mk). Which of the two is faster depends on the processor: there are some on which Eigen 3.4 makes
// less of AVX-512 than of AVX2.

// Eigen's functions are inline, and the linker keeps one of each name: under its own name, either file could
// end up with the other's code. So all of Eigen has another name here.
#define Eigen EigenAvx2  // NOLINT(readability-identifier-naming)
#include "math/gemm_eigen_product.hpp"

#if defined(__AVX512F__)
#error this file is to be compiled without AVX-512
#endif

namespace lockstep::math {

std::unique_ptr<Gemm> make_eigen_avx2_gemm() { return std::make_unique<EigenGemm>(); }

}  // namespace lockstep::math
