// SPDX-License-Identifier: BSD-3-Clause
// GEMM through the CBLAS that was linked (OpenBLAS, BLIS or MKL), limited to one thread a rank.
#include <cblas.h>

#include "math/gemm.hpp"

// Each library has its own way to set the thread count; the weak ones that are absent resolve to null.
extern "C" {
void openblas_set_num_threads(int) __attribute__((weak));
char* openblas_get_config() __attribute__((weak));
void bli_thread_set_num_threads(long) __attribute__((weak));
const char* bli_info_get_version_str() __attribute__((weak));
void MKL_Set_Num_Threads(int) __attribute__((weak));
}

namespace lockstep::math {
namespace {

void use_one_thread() {
  if (openblas_set_num_threads != nullptr) openblas_set_num_threads(1);
  if (bli_thread_set_num_threads != nullptr) bli_thread_set_num_threads(1);
  if (MKL_Set_Num_Threads != nullptr) MKL_Set_Num_Threads(1);
}

CBLAS_TRANSPOSE transpose(Op op) { return op == Op::none ? CblasNoTrans : CblasTrans; }

class CblasGemm final : public Gemm {
 public:
  CblasGemm() { use_one_thread(); }

 protected:
  void run(const GemmShape& shape, Stores /*stores*/, float alpha, ConstMatrix a, ConstMatrix b, float beta,
           Matrix c) const override {
    const auto size = [](std::size_t n) { return static_cast<int>(n); };
    cblas_sgemm(CblasRowMajor, transpose(shape.op_a), transpose(shape.op_b), size(shape.m), size(shape.n),
                size(shape.k), alpha, a.data, size(a.stride), b.data, size(b.stride), beta, c.data,
                size(c.stride));
  }
};

}  // namespace

std::unique_ptr<Gemm> make_cblas_gemm() { return std::make_unique<CblasGemm>(); }

std::string_view blas_description() {
  if (openblas_get_config != nullptr) return openblas_get_config();
  if (bli_info_get_version_str != nullptr) return bli_info_get_version_str();
  return MKL_Set_Num_Threads != nullptr ? "MKL" : "unknown";
}

}  // namespace lockstep::math
