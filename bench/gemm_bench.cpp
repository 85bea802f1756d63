// SPDX-License-Identifier: BSD-3-Clause
// Every GEMM backend at the products of the models' training steps and at square ones, side by side.
#include <algorithm>
#include <cmath>
#include <memory>
#include <string>
#include <vector>

#include "bench.hpp"
#include "core/aligned.hpp"
#include "core/clock.hpp"
#include "core/random.hpp"
#include "math/gemm_choice.hpp"
#include "nn/model.hpp"

namespace lockstep::bench {
namespace {

using math::GemmShape;
using math::Op;

constexpr std::size_t rounds = 11;
constexpr double sample_s = 0.2e-3;  // at least: a few thousand readings of the clock

struct Backend {
  std::string name;
  std::unique_ptr<math::Gemm> gemm;
};

std::vector<Backend> all_backends() {
  std::vector<Backend> backends;
  for (const math::GemmRow& row : math::gemm_table()) backends.push_back({std::string(row.name), row.make()});
  return backends;
}

struct Operands {
  explicit Operands(const GemmShape& s) : shape(s), a(s.m * s.k), b(s.k * s.n), c(s.m * s.n) {
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
  [[nodiscard]] std::vector<float> naive() const {
    std::vector<float> b_rows(shape.k * shape.n), product(shape.m * shape.n);
    for (std::size_t l = 0; l < shape.k; ++l)
      for (std::size_t j = 0; j < shape.n; ++j)
        b_rows[l * shape.n + j] = shape.op_b == Op::transpose ? b[j * shape.k + l] : b[l * shape.n + j];
    for (std::size_t i = 0; i < shape.m; ++i)
      for (std::size_t l = 0; l < shape.k; ++l) {
        const float factor = shape.op_a == Op::transpose ? a[l * shape.m + i] : a[i * shape.k + l];
        for (std::size_t j = 0; j < shape.n; ++j)
          product[i * shape.n + j] += factor * b_rows[l * shape.n + j];
      }
    return product;
  }
  GemmShape shape;
  AlignedVector<float> a, b, c;
};

bool agrees(std::span<const float> found, std::span<const float> expected, std::size_t k) {
  const float rounding = 2e-5F * (1 + std::sqrt(static_cast<float>(k)));
  for (std::size_t i = 0; i < found.size(); ++i)
    if (!(std::abs(found[i] - expected[i]) <= rounding)) return false;  // also where it is not a number
  return true;
}

/// All backends at one shape. They take turns in every round, so that whatever disturbs the machine disturbs
/// all, and their ratios are honest. Every benchmark of the shape then reports its part of that measurement:
/// in its first repetition of the first one, and so on.
class ShapeBench {
 public:
  ShapeBench(const GemmShape& shape, const std::vector<Backend>& backends)
      : shape_(shape), backends_(backends), reported_(backends.size(), 0) {}

  [[nodiscard]] const GemmShape& shape() const { return shape_; }

  void report(benchmark::State& state, std::size_t backend) {
    const std::size_t repetition = reported_[backend]++;
    if (repetition == measured_.size()) measured_.push_back(measure());
    const Measurement& found = measured_[repetition];
    const std::vector<double>& own_s = found.times_s[backend];
    std::size_t round = 0;
    for (auto _ : state) state.SetIterationTime(own_s[round++ % rounds]);
    if (found.wrong[backend]) {
      state.SkipWithError("the product is wrong");
      return;
    }
    double best_s = median(own_s);
    for (const std::vector<double>& times_s : found.times_s) best_s = std::min(best_s, median(times_s));
    state.counters["FLOP/s"] = {shape_.flop() / median(own_s), benchmark::Counter::kDefaults,
                                benchmark::Counter::kIs1000};
    state.counters["of_best"] = best_s / median(own_s);
  }

 private:
  struct Measurement {
    std::vector<bool> wrong;                   // [backend]
    std::vector<std::vector<double>> times_s;  // [backend][round]
  };

  [[nodiscard]] Measurement measure() const {
    Operands operands(shape_);
    const std::vector<float> expected = operands.naive();
    std::vector<std::size_t> products;
    Measurement found{.wrong = {}, .times_s = std::vector<std::vector<double>>(backends_.size())};
    for (const Backend& backend : backends_) {
      backend.gemm->prepare(std::span(&shape_, 1));
      std::ranges::fill(operands.c, NAN);
      operands.multiply(*backend.gemm);
      found.wrong.push_back(!agrees(operands.c, expected, shape_.k));
      products.push_back(static_cast<std::size_t>(
          std::max(1.0, sample_s / std::max(product_s(operands, *backend.gemm, 1), 1e-9))));
    }
    for (std::size_t round = 0; round < rounds; ++round)
      for (std::size_t i = 0; i < backends_.size(); ++i)
        found.times_s[i].push_back(product_s(operands, *backends_[i].gemm, products[i]));
    return found;
  }

  static double product_s(Operands& operands, const math::Gemm& gemm, std::size_t products) {
    const double start_s = now_s();
    for (std::size_t i = 0; i < products; ++i) {
      operands.multiply(gemm);
      benchmark::ClobberMemory();
    }
    return (now_s() - start_s) / static_cast<double>(products);
  }

  GemmShape shape_;
  const std::vector<Backend>& backends_;
  std::vector<std::size_t> reported_;  // [backend]: its repetitions so far
  std::vector<Measurement> measured_;  // [repetition]
};

bool contains(const std::vector<GemmShape>& shapes, const GemmShape& shape) {
  return std::ranges::find(shapes, shape) != shapes.end();
}

// The products of the fully connected layers: forward, weight gradient, input gradient; each shape once,
// though models share some. Convolutions, whose products are one sample's whatever the batch, have kernels of
// their own.
std::vector<GemmShape> model_shapes(const math::Gemm& gemm) {
  std::vector<GemmShape> shapes;
  for (const char* name : {"model_a", "model_a_large", "lenet5"}) {
    const nn::Model model(nn::describe_model(name),
                          {.input = {1, 28, 28}, .classes = 10, .seed = 1, .max_batch = 1, .gemm = &gemm});
    for (const std::size_t batch : {16U, 32U, 64U, 128U, 256U, 512U, 1024U})
      for (const std::vector<GemmShape> others = model.gemms(batch + 1);
           const GemmShape& shape : model.gemms(batch))
        if (!contains(others, shape) && !contains(shapes, shape)) shapes.push_back(shape);
  }
  return shapes;
}

void register_all(std::vector<std::shared_ptr<ShapeBench>>& benches, const std::vector<Backend>& backends) {
  std::vector<GemmShape> shapes = model_shapes(*backends.front().gemm);
  for (const std::size_t size : {64U, 128U, 256U, 512U, 1024U})
    shapes.push_back({Op::none, Op::none, size, size, size});
  for (const GemmShape& shape : shapes) {
    const auto bench = benches.emplace_back(std::make_shared<ShapeBench>(shape, backends));
    for (std::size_t i = 0; i < backends.size(); ++i) {
      const std::string name =
          "gemm/" + backends[i].name + "/" + math::ops_text(shape) + "/" + math::sizes_text(shape);
      benchmark::RegisterBenchmark(name.c_str(),
                                   [bench, i](benchmark::State& state) { bench->report(state, i); })
          ->UseManualTime()
          ->Iterations(rounds)
          ->Unit(benchmark::kMicrosecond);
    }
  }
}

}  // namespace
}  // namespace lockstep::bench

int main(int argc, char** argv) {
  using namespace lockstep;
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 1;
  bench::add_context();
  for (const math::AbsentGemm& absent : math::absent_gemms())
    benchmark::AddCustomContext("gemm " + std::string(absent.name),
                                "not measured: " + std::string(absent.reason));
  const std::vector<bench::Backend> backends = bench::all_backends();
  std::vector<std::shared_ptr<bench::ShapeBench>> benches;
  bench::register_all(benches, backends);
  benchmark::RunSpecifiedBenchmarks();
}
