// SPDX-License-Identifier: BSD-3-Clause
// The matrix product interface and the table of its backends.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "math/matrix.hpp"

namespace lockstep::math {

enum class Op { none, transpose };

/// How C is written: as usual, or past the caches where the backend can, because other ranks read it next.
/// Whoever asks for the latter calls simd::fence_streams() before telling them.
enum class Stores { cached, streamed };

/// The sizes of one product C[m, n] = op(A)[m, k] op(B)[k, n]; 2 m n k floating-point operations.
struct GemmShape {
  Op op_a, op_b;
  std::size_t m, n, k;
  [[nodiscard]] double flop() const {
    return 2.0 * static_cast<double>(m) * static_cast<double>(n) * static_cast<double>(k);
  }
  bool operator==(const GemmShape&) const = default;
};

/// Which backend products of one shape go to.
struct GemmChoice {
  GemmShape shape;
  std::string backend;
  bool operator==(const GemmChoice&) const = default;
};

/// Single-precision general matrix product, one thread.
class Gemm {
 public:
  virtual ~Gemm() = default;

  /// C = alpha op(A) op(B) + beta C. C's old contents are not read when beta is 0.
  void multiply(float alpha, ConstMatrix a, Op op_a, ConstMatrix b, Op op_b, float beta, Matrix c,
                Stores stores = Stores::cached) const;

  /// Every row of C = A B + `row`: a layer with a bias. C's old contents are not read.
  void multiply_add_row(ConstMatrix a, ConstMatrix b, std::span<const float> row, Matrix c) const;

  // For a backend that chooses among others by measuring; the others know nothing of it.

  /// Measures, if that is needed, what to do with products of these shapes. Takes milliseconds a shape.
  virtual void prepare(std::span<const GemmShape> /*shapes*/) {}
  /// What was chosen or adopted so far.
  [[nodiscard]] virtual std::vector<GemmChoice> choices() const { return {}; }
  /// Takes over the choices of another rank on a machine like this one; throws Error for unknown backends.
  virtual void adopt(std::span<const GemmChoice> /*choices*/) {}

 protected:
  virtual void run(const GemmShape& shape, Stores stores, float alpha, ConstMatrix a, ConstMatrix b,
                   float beta, Matrix c) const = 0;
  /// Unless a backend knows better: C is filled with the row, and the product added to it.
  virtual void run_add_row(const GemmShape& shape, ConstMatrix a, ConstMatrix b, std::span<const float> row,
                           Matrix c) const;
};

struct GemmRow {
  std::string_view name;
  std::string_view help;
  std::unique_ptr<Gemm> (*make)();
};

[[nodiscard]] std::span<const GemmRow> gemm_table();
/// A backend that this build is without.
struct AbsentGemm {
  std::string_view name;
  std::string_view reason;
  std::string_view hint;
};
[[nodiscard]] std::span<const AbsentGemm> absent_gemms();
/// Of the table and of the absent ones.
[[nodiscard]] std::vector<std::string> gemm_names();
/// The backend called `name`; throws ConfigError for an unknown name and for one that was not built.
[[nodiscard]] std::unique_ptr<Gemm> make_gemm(std::string_view name);

// The backends, one file each.
[[nodiscard]] std::unique_ptr<Gemm> make_tiled_gemm();
[[nodiscard]] std::unique_ptr<Gemm> make_cblas_gemm();
[[nodiscard]] std::unique_ptr<Gemm> make_eigen_gemm();
[[nodiscard]] std::unique_ptr<Gemm> make_eigen_avx2_gemm();
[[nodiscard]] std::unique_ptr<Gemm> make_xsmm_gemm();
[[nodiscard]] std::unique_ptr<Gemm> make_auto_gemm();

/// The linked BLAS library as it describes itself (version, kernel), for provenance.
[[nodiscard]] std::string_view blas_description();

}  // namespace lockstep::math
