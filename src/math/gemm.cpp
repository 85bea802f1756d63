// SPDX-License-Identifier: BSD-3-Clause
// The table of GEMM backends.
#include "math/gemm.hpp"

#include <algorithm>
#include <array>

#include "core/names.hpp"

namespace lockstep::math {
namespace {

// The build says which of the optional backends it compiles (mk/flags.mk), and nothing else asks.
constexpr bool has_eigen_avx2 = LOCKSTEP_HAS_EIGEN_AVX2 != 0;
constexpr bool has_xsmm = LOCKSTEP_HAS_XSMM != 0;

struct Row {
  GemmRow row;
  bool built = true;
  std::string_view reason = {}, hint = {};  // why it was not built, and what to do
};

constexpr Row rows[] = {
    {.row = {"tiled", "Lockstep's own: register tiles over packed panels, for small and flat products",
             make_tiled_gemm}},
    {.row = {"cblas", "the BLAS library that was linked (OpenBLAS, BLIS or MKL)", make_cblas_gemm}},
    {.row = {"eigen", "Eigen's own product, compiled for this build's ARCH", make_eigen_gemm}},
    {.row = {"eigen_avx2", "Eigen's own product, compiled without the AVX-512 that ARCH has",
             has_eigen_avx2 ? make_eigen_avx2_gemm : nullptr},
     .built = has_eigen_avx2,
     .reason = "the ARCH that this was built for has no AVX-512",
     .hint = "eigen is the same code here"},
    {.row = {"xsmm", "kernels that libxsmm generates for each shape as it runs",
             has_xsmm ? make_xsmm_gemm : nullptr},
     .built = has_xsmm,
     .reason = "libxsmm was not found when this was built",
     .hint = "install libxsmm (Debian: libxsmm-dev; Spack, conda-forge: libxsmm) and run make again"},
    {.row = {"auto", "for each shape the fastest of the others, measured before the training",
             make_auto_gemm}},
};

constexpr auto built_count = static_cast<std::size_t>(std::ranges::count(rows, true, &Row::built));

constexpr auto table = [] {
  std::array<GemmRow, built_count> built{};
  std::size_t next = 0;
  for (const Row& row : rows)
    if (row.built) built[next++] = row.row;
  return built;
}();

constexpr auto absent = [] {
  std::array<AbsentGemm, std::size(rows) - built_count> missing{};
  std::size_t next = 0;
  for (const Row& row : rows)
    if (!row.built) missing[next++] = {row.row.name, row.reason, row.hint};
  return missing;
}();

GemmShape shape_of(ConstMatrix a, Op op_a, [[maybe_unused]] ConstMatrix b, [[maybe_unused]] Op op_b,
                   Matrix c) {
  const GemmShape shape{op_a, op_b, c.rows, c.cols, op_a == Op::none ? a.cols : a.rows};
  assert((op_a == Op::none ? a.rows : a.cols) == shape.m);
  assert((op_b == Op::none ? b.rows : b.cols) == shape.k);
  assert((op_b == Op::none ? b.cols : b.rows) == shape.n);
  return shape;
}

}  // namespace

void Gemm::multiply(float alpha, ConstMatrix a, Op op_a, ConstMatrix b, Op op_b, float beta, Matrix c,
                    Stores stores) const {
  const GemmShape shape = shape_of(a, op_a, b, op_b, c);
  if (shape.m == 0 || shape.n == 0) return;
  run(shape, stores, alpha, a, b, beta, c);
}

void Gemm::multiply_add_row(ConstMatrix a, ConstMatrix b, std::span<const float> row, Matrix c) const {
  const GemmShape shape = shape_of(a, Op::none, b, Op::none, c);
  assert(row.size() == shape.n);
  if (shape.m == 0 || shape.n == 0) return;
  run_add_row(shape, a, b, row, c);
}

void Gemm::run_add_row(const GemmShape& shape, ConstMatrix a, ConstMatrix b, std::span<const float> row,
                       Matrix c) const {
  for (std::size_t i = 0; i < shape.m; ++i) std::ranges::copy(row, c.row(i).begin());
  run(shape, Stores::cached, 1.0F, a, b, 1.0F, c);
}

std::span<const GemmRow> gemm_table() { return table; }
std::span<const AbsentGemm> absent_gemms() { return absent; }

std::vector<std::string> gemm_names() {
  std::vector<std::string> names;
  for (const Row& row : rows) names.emplace_back(row.row.name);
  return names;
}

std::unique_ptr<Gemm> make_gemm(std::string_view name) {
  for (const AbsentGemm& missing : absent_gemms())
    if (missing.name == name)
      throw ConfigError({.what = "GEMM backend '" + std::string(name) +
                                 "' is not in this build: " + std::string(missing.reason),
                         .expected = "one of " + join(names_of(gemm_table())),
                         .hint = std::string(missing.hint)});
  return find_row(gemm_table(), "GEMM backend", name).make();
}

}  // namespace lockstep::math
