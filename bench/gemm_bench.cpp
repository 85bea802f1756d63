// SPDX-License-Identifier: BSD-3-Clause
// Every GEMM backend at the products of a training step of model A, checked against the naive product.
#include <cmath>
#include <map>

#include "bench.hpp"
#include "core/aligned.hpp"
#include "core/random.hpp"
#include "nn/model.hpp"

namespace lockstep::bench {
namespace {

using math::Op;

struct Operands {
  explicit Operands(const math::GemmShape& s) : shape(s), a(s.m * s.k), b(s.k * s.n), c(s.m * s.n) {
    const RandomRows random(1, Purpose::synthetic_data);
    random.normal(0, 0, 0, a);
    random.normal(1, 0, 0, b);
  }
  void multiply(const math::Gemm& gemm) {
    const bool ta = shape.op_a == Op::transpose;
    const bool tb = shape.op_b == Op::transpose;
    gemm.multiply(1.0F, {a.data(), ta ? shape.k : shape.m, ta ? shape.m : shape.k}, shape.op_a,
                  {b.data(), tb ? shape.n : shape.k, tb ? shape.k : shape.n}, shape.op_b, 0.0F,
                  {c.data(), shape.m, shape.n});
  }
  /// The largest error of 100 elements spread over C, relative to what rounding may make.
  [[nodiscard]] double error() const {
    double worst = 0;
    for (std::size_t sample = 0; sample < 100; ++sample) {
      const std::size_t i = sample * 7919 % shape.m;
      const std::size_t j = sample * 104729 % shape.n;
      double sum = 0;
      for (std::size_t l = 0; l < shape.k; ++l)
        sum += static_cast<double>(shape.op_a == Op::transpose ? a[l * shape.m + i] : a[i * shape.k + l]) *
               static_cast<double>(shape.op_b == Op::transpose ? b[j * shape.k + l] : b[l * shape.n + j]);
      worst = std::max(worst, std::abs(sum - static_cast<double>(c[i * shape.n + j])));
    }
    return worst / (1e-5 * (1 + std::sqrt(static_cast<double>(shape.k))));
  }
  math::GemmShape shape;
  AlignedVector<float> a, b, c;
};

void run(benchmark::State& state, const math::GemmRow& row, const math::GemmShape& shape) {
  const auto gemm = row.make();
  Operands operands(shape);
  for (auto _ : state) {
    operands.multiply(*gemm);
    benchmark::ClobberMemory();
  }
  if (operands.error() > 1) state.SkipWithError("the product is wrong");
  state.counters["FLOP/s"] = benchmark::Counter(shape.flop(), benchmark::Counter::kIsIterationInvariantRate,
                                                benchmark::Counter::kIs1000);
}

void register_all() {
  const auto gemm = math::make_gemm("cblas");
  for (const std::size_t batch : {16U, 64U, 512U}) {
    const nn::Model model(
        nn::describe_model("model_a"),
        {.input = {1, 28, 28}, .classes = 10, .seed = 1, .max_batch = 1, .gemm = gemm.get()});
    for (const math::GemmShape& shape : model.gemms(batch))
      for (const math::GemmRow& row : math::gemm_table()) {
        const auto letter = [](Op op) { return op == Op::none ? "N" : "T"; };
        const std::string name = "gemm/" + std::string(row.name) + "/" + letter(shape.op_a) +
                                 letter(shape.op_b) + "/" + std::to_string(shape.m) + "x" +
                                 std::to_string(shape.n) + "x" + std::to_string(shape.k);
        benchmark::RegisterBenchmark(name.c_str(),
                                     [&row, shape](benchmark::State& state) { run(state, row, shape); });
      }
  }
}

}  // namespace
}  // namespace lockstep::bench

int main(int argc, char** argv) {
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 1;
  lockstep::bench::add_context();
  lockstep::bench::register_all();
  benchmark::RunSpecifiedBenchmarks();
}
