// SPDX-License-Identifier: BSD-3-Clause
// A stopwatch for GEMM backends.
#include "math/gemm_tuning.hpp"

#include <algorithm>

#include "core/aligned.hpp"
#include "core/clock.hpp"

namespace lockstep::math {
namespace {

constexpr double clearly_slower = 1.03;
constexpr double far_behind = 1.5;
constexpr double budget_s = 5e-3;   // for a shape
constexpr double sample_s = 10e-6;  // at least, for one reading of the clock
constexpr double short_s = 50e-6;
constexpr std::size_t most_rounds = 30;

/// What a product reads and writes. Alpha and beta are those of fully connected layers, since backends differ
/// in what they cost: forward (NN) on top of the bias, input gradient (NT), and a scaled weight gradient (TN)
/// that is added to the weights.
struct Operands {
  explicit Operands(const GemmShape& of)
      : shape(of), a(of.m * of.k, 0.5F), b(of.k * of.n, 0.25F), c(of.m * of.n) {}
  void multiply(const Gemm& gemm) {
    const bool ta = shape.op_a == Op::transpose;
    const bool tb = shape.op_b == Op::transpose;
    gemm.multiply(ta ? -0.01F : 1.0F, {a.data(), ta ? shape.k : shape.m, ta ? shape.m : shape.k}, shape.op_a,
                  {b.data(), tb ? shape.n : shape.k, tb ? shape.k : shape.n}, shape.op_b, tb ? 0.0F : 1.0F,
                  {c.data(), shape.m, shape.n});
  }
  GemmShape shape;
  AlignedVector<float> a, b, c;
};

double product_s(Operands& operands, const Gemm& gemm, std::size_t products) {
  const double start_s = now_s();
  for (std::size_t i = 0; i < products; ++i) operands.multiply(gemm);
  return (now_s() - start_s) / static_cast<double>(products);
}

}  // namespace

std::vector<double> measure_s(std::span<const GemmCandidate> candidates, const GemmShape& shape) {
  Operands operands(shape);
  std::vector<double> best_s;
  for (const GemmCandidate& candidate : candidates) {
    operands.multiply(*candidate.gemm);  // warm: caches, buffers, generated code
    double first_s = product_s(operands, *candidate.gemm, 1);
    for (int i = 0; i < 4 && first_s < short_s; ++i)  // of short products a single time tells little
      first_s = std::min(first_s, product_s(operands, *candidate.gemm, 1));
    best_s.push_back(first_s);
  }
  const double fastest_s = *std::ranges::min_element(best_s);
  std::vector<std::size_t> near;
  for (std::size_t i = 0; i < candidates.size(); ++i)
    if (best_s[i] <= far_behind * fastest_s) near.push_back(i);
  if (near.size() < 2) return best_s;

  const auto products = static_cast<std::size_t>(std::max(1.0, sample_s / std::max(fastest_s, 1e-9)));
  const double end_s = now_s() + budget_s;
  for (std::size_t round = 0; round < most_rounds && (round == 0 || now_s() < end_s); ++round)
    for (const std::size_t i : near)
      best_s[i] = std::min(best_s[i], product_s(operands, *candidates[i].gemm, products));
  return best_s;
}

std::size_t preferred(std::span<const double> times_s) {
  const double limit_s = clearly_slower * *std::ranges::min_element(times_s);
  const auto first = std::ranges::find_if(times_s, [&](double time_s) { return time_s <= limit_s; });
  return static_cast<std::size_t>(first - times_s.begin());
}

}  // namespace lockstep::math
