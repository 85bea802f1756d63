// SPDX-License-Identifier: BSD-3-Clause
// Every GEMM backend against the naive product.
#include "math/gemm.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/error.hpp"
#include "core/json.hpp"
#include "core/random.hpp"
#include "math/gemm_choice.hpp"
#include "nn/model.hpp"

namespace lockstep::math {
namespace {

std::vector<float> random_matrix(std::uint32_t id, std::size_t size) {
  std::vector<float> values(size);
  RandomRows(1, Purpose::synthetic_data).normal(id, 0, 0, values);
  return values;
}

void check(const Gemm& gemm, Op op_a, Op op_b, std::size_t m, std::size_t n, std::size_t k, float alpha,
           float beta) {
  const bool ta = op_a == Op::transpose;
  const bool tb = op_b == Op::transpose;
  // Strides wider than the rows, as for parts of larger matrices.
  const ConstMatrix a_shape(nullptr, ta ? k : m, ta ? m : k, (ta ? m : k) + 3);
  const ConstMatrix b_shape(nullptr, tb ? n : k, tb ? k : n, (tb ? k : n) + 1);
  const auto a = random_matrix(1, a_shape.rows * a_shape.stride + 1);
  const auto b = random_matrix(2, b_shape.rows * b_shape.stride + 1);
  auto c = random_matrix(3, m * (n + 2));
  const auto before = c;
  if (beta == 0.0F) c[0] = std::numeric_limits<float>::quiet_NaN();  // must not be read
  gemm.multiply(alpha, {a.data(), a_shape.rows, a_shape.cols, a_shape.stride}, op_a,
                {b.data(), b_shape.rows, b_shape.cols, b_shape.stride}, op_b, beta, {c.data(), m, n, n + 2});
  for (std::size_t i = 0; i < m; ++i)
    for (std::size_t j = 0; j < n + 2; ++j) {
      if (j >= n) {
        ASSERT_EQ(c[i * (n + 2) + j], before[i * (n + 2) + j]) << "wrote beyond a row";
        continue;
      }
      double sum = 0;
      for (std::size_t l = 0; l < k; ++l)
        sum += static_cast<double>(ta ? a[l * a_shape.stride + i] : a[i * a_shape.stride + l]) *
               static_cast<double>(tb ? b[j * b_shape.stride + l] : b[l * b_shape.stride + j]);
      const double expected =
          alpha * sum + (beta == 0.0F ? 0.0 : beta * static_cast<double>(before[i * (n + 2) + j]));
      ASSERT_NEAR(c[i * (n + 2) + j], expected, 1e-5 * (1 + std::sqrt(static_cast<double>(k))))
          << i << "," << j;
    }
}

// Skipped and not failed: the closing lines of `make test` then say that nothing has tried this backend.
TEST(Gemm, TheBackendOfLibxsmmIsInThisBuild) {
#ifdef __x86_64__  // libxsmm 1 knows no other
  for (const AbsentGemm& absent : absent_gemms())
    if (absent.name == "xsmm") GTEST_SKIP() << "GEMM backend xsmm: " << absent.reason << "; " << absent.hint;
#endif
}

TEST(Gemm, EveryBackendAgreesWithTheNaiveProduct) {
  for (const GemmRow& row : gemm_table()) {
    const auto gemm = row.make();
    for (const Op op_a : {Op::none, Op::transpose})
      for (const Op op_b : {Op::none, Op::transpose})
        for (const auto& [m, n, k] : {std::array<std::size_t, 3>{1, 1, 1},
                                      {3, 5, 7},
                                      {64, 10, 65},
                                      {17, 256, 33},
                                      {5, 1, 100},
                                      {26, 117, 600},
                                      {43, 64, 1030},  // deeper than a block
                                      {50, 600, 40}})  // rows of B that lie far apart
          for (const float alpha : {1.0F, -0.5F})
            for (const float beta : {0.0F, 1.0F, 0.25F}) {
              SCOPED_TRACE(std::string(row.name) + " " + std::to_string(m) + "x" + std::to_string(n) + "x" +
                           std::to_string(k));
              ASSERT_NO_FATAL_FAILURE(check(*gemm, op_a, op_b, m, n, k, alpha, beta));
            }
  }
}

TEST(Gemm, EveryBackendAddsARowToEachRowOfAProduct) {
  constexpr float unset = std::numeric_limits<float>::quiet_NaN();
  for (const GemmRow& backend : gemm_table()) {
    const auto gemm = backend.make();
    for (const auto& [m, n, k] :
         {std::array<std::size_t, 3>{1, 1, 1}, {9, 10, 33}, {64, 256, 65}, {26, 117, 600}, {43, 64, 1030}}) {
      SCOPED_TRACE(std::string(backend.name) + " " + std::to_string(m) + "x" + std::to_string(n) + "x" +
                   std::to_string(k));
      const auto a = random_matrix(1, m * k);
      const auto b = random_matrix(2, k * n);
      const auto row = random_matrix(3, n);
      std::vector<float> c(m * (n + 1), unset);
      gemm->multiply_add_row({a.data(), m, k}, {b.data(), k, n}, row, {c.data(), m, n, n + 1});
      for (std::size_t i = 0; i < m; ++i) {
        ASSERT_TRUE(std::isnan(c[i * (n + 1) + n])) << "wrote beyond a row";
        for (std::size_t j = 0; j < n; ++j) {
          double sum = row[j];
          for (std::size_t l = 0; l < k; ++l)
            sum += static_cast<double>(a[i * k + l]) * static_cast<double>(b[l * n + j]);
          ASSERT_NEAR(c[i * (n + 1) + j], sum, 1e-5 * (1 + std::sqrt(static_cast<double>(k))))
              << i << "," << j;
        }
      }
    }
  }
}

TEST(Gemm, BackendsAgreeWithEachOtherAtTheModelsProducts) {
  const auto reference = make_gemm("tiled");
  for (const char* name : {"model_a", "lenet5"})
    for (const std::size_t batch : {1U, 7U, 64U}) {
      const nn::Model model(
          nn::describe_model(name),
          {.input = {1, 28, 28}, .classes = 10, .seed = 1, .max_batch = 1, .gemm = reference.get()});
      for (const GemmShape& shape : model.gemms(batch)) {
        const bool ta = shape.op_a == Op::transpose;
        const bool tb = shape.op_b == Op::transpose;
        const auto a = random_matrix(1, shape.m * shape.k);
        const auto b = random_matrix(2, shape.k * shape.n);
        const auto before = random_matrix(3, shape.m * shape.n);
        // As a step that subtracts the scaled gradient from the weights.
        const auto product = [&](const Gemm& gemm) {
          auto c = before;
          gemm.multiply(-0.01F, {a.data(), ta ? shape.k : shape.m, ta ? shape.m : shape.k}, shape.op_a,
                        {b.data(), tb ? shape.n : shape.k, tb ? shape.k : shape.n}, shape.op_b, 1.0F,
                        {c.data(), shape.m, shape.n});
          return c;
        };
        const auto expected = product(*reference);
        ASSERT_NE(expected, before);
        for (const GemmRow& row : gemm_table()) {
          const auto c = product(*row.make());
          const float rounding = 1e-6F * (1 + std::sqrt(static_cast<float>(shape.k)));
          for (std::size_t i = 0; i < c.size(); ++i)
            ASSERT_NEAR(c[i], expected[i], rounding) << row.name << " at " << to_text(shape) << ", " << i;
        }
      }
    }
}

TEST(Gemm, AnUnknownBackendIsAnError) { EXPECT_THROW((void)make_gemm("clbas"), ConfigError); }

TEST(Gemm, EveryNameIsABackendOrTheReasonWhyThereIsNone) {
  std::size_t built = 0;
  for (const std::string& name : gemm_names()) {
    const auto missing = std::ranges::find(absent_gemms(), name, &AbsentGemm::name);
    if (missing == absent_gemms().end()) {
      EXPECT_NE(make_gemm(name), nullptr) << name;
      ++built;
      continue;
    }
    try {
      (void)make_gemm(name);
      FAIL() << name << " is absent and was made";
    } catch (const ConfigError& error) {
      EXPECT_THAT(error.what(), testing::AllOf(testing::HasSubstr(name), testing::HasSubstr(missing->reason),
                                               testing::HasSubstr(missing->hint)));
    }
  }
  EXPECT_EQ(built, gemm_table().size());
}

}  // namespace
}  // namespace lockstep::math
