// SPDX-License-Identifier: BSD-3-Clause
// A serial epoch of model A beside its floor: the sum of its matrix products, timed alone, in the same run.
#include <cmath>

#include "algorithms/algorithm.hpp"
#include "algorithms/training_parts.hpp"
#include "bench.hpp"
#include "comm/communicator.hpp"
#include "core/aligned.hpp"
#include "core/clock.hpp"
#include "core/json.hpp"
#include "synthetic.hpp"

namespace lockstep::bench {
namespace {

using math::Op;

/// The products of one step, on operands of their own: those of a layer are reused from step to step, as in
/// training.
class Floor {
 public:
  Floor(const std::vector<math::GemmShape>& shapes, const math::Gemm& gemm) : gemm_(gemm) {
    for (const math::GemmShape& s : shapes)
      products_.push_back({s, AlignedVector<float>(s.m * s.k, 0.5F), AlignedVector<float>(s.k * s.n, 0.5F),
                           AlignedVector<float>(s.m * s.n)});
  }
  void step() {
    for (Product& p : products_) {
      const math::GemmShape& s = p.shape;
      const bool ta = s.op_a == Op::transpose;
      const bool tb = s.op_b == Op::transpose;
      gemm_.multiply(1.0F, {p.a.data(), ta ? s.k : s.m, ta ? s.m : s.k}, s.op_a,
                     {p.b.data(), tb ? s.n : s.k, tb ? s.k : s.n}, s.op_b, 0.0F, {p.c.data(), s.m, s.n});
    }
  }

 private:
  struct Product {
    math::GemmShape shape;
    AlignedVector<float> a, b, c;
  };
  const math::Gemm& gemm_;
  std::vector<Product> products_;
};

/// A training that goes on from repetition to repetition, and its floor. The first epoch is made here,
/// untimed.
class Training {
 public:
  Training(std::size_t batch, const std::string& gemm_name)
      : steps_((synthetic_info().train_count + batch - 1) / batch),
        ranks_(comm::Communicator::world()),
        description_(nn::describe_model("model_a")),
        options_{.batch_size = batch, .epochs = 1000, .seed = 1, .gradient = "mean"},
        parts_(ranks_, synthetic_dataset(),
               {.model_description = description_,
                .training = options_,
                .optimizer = optimizer_,
                .schedule = schedule_,
                .gemm = gemm_name,
                .allreduce = "mpi",
                .max_batch = batch}),
        algorithm_(algorithms::find_algorithm("serial").make()),
        floor_(parts_.model().gemms(batch), parts_.gemm()) {
    parts_.gemm().prepare(parts_.model().gemms(batch));
    algorithm_->start(parts_.context());
    for (const math::GemmShape& shape : parts_.model().gemms(batch))
      flop_ += shape.flop() * static_cast<double>(steps_);
    run_epoch();
    first_loss_ = last_loss_;
    run_floor();
  }

  void run_epoch() {
    parts_.phases().restart();
    const algorithms::EpochStats stats = algorithm_->run_epoch(epoch_++);
    last_loss_ = stats.loss_sum / static_cast<double>(stats.samples);
  }
  void run_floor() {
    for (std::size_t step = 0; step < steps_; ++step) floor_.step();
  }
  [[nodiscard]] bool learns() const { return std::isfinite(last_loss_) && last_loss_ < first_loss_; }
  [[nodiscard]] double flop() const { return flop_; }
  [[nodiscard]] std::size_t steps() const { return steps_; }

 private:
  std::size_t steps_;
  comm::Communicator ranks_;
  Json description_;
  nn::OptimizerOptions optimizer_;
  nn::ScheduleOptions schedule_{.learning_rate = 0.1};
  algorithms::TrainingOptions options_;
  algorithms::TrainingParts parts_;
  std::unique_ptr<algorithms::Algorithm> algorithm_;
  Floor floor_;
  double flop_ = 0.0;
  std::uint32_t epoch_ = 0;
  double first_loss_ = 0.0, last_loss_ = 0.0;
};

// Training and floor take turns, so that whatever disturbs the machine disturbs both.
void serial_epoch(benchmark::State& state, Training& training) {
  std::vector<double> epoch_s, floor_s, ratio;
  for (auto _ : state) {
    const double start = now_s();
    training.run_epoch();
    const double middle = now_s();
    training.run_floor();
    const double end = now_s();
    epoch_s.push_back(middle - start);
    floor_s.push_back(end - middle);
    ratio.push_back(epoch_s.back() / floor_s.back());
    state.SetIterationTime(middle - start);
  }
  if (!training.learns()) state.SkipWithError("the training does not learn");
  state.counters["floor_s"] = median(floor_s);
  state.counters["over_floor"] = median(ratio);
  state.counters["steps"] = static_cast<double>(training.steps());
  state.counters["GFLOP/s"] = training.flop() / median(epoch_s) * 1e-9;
}

/// The training of the benchmark that runs now; made anew when another one comes.
class Current {
 public:
  Training& training(const std::string& gemm, std::size_t batch) {
    if (!training_ || gemm != gemm_ || batch != batch_) training_ = std::make_unique<Training>(batch, gemm);
    gemm_ = gemm;
    batch_ = batch;
    return *training_;
  }

 private:
  std::string gemm_;
  std::size_t batch_ = 0;
  std::unique_ptr<Training> training_;
};

// A repetition is one epoch.
void register_all(Current& current) {
  for (const math::GemmRow& row : math::gemm_table())
    benchmark::RegisterBenchmark(
        ("serial_epoch/model_a/" + std::string(row.name)).c_str(),
        [&](benchmark::State& state) {
          serial_epoch(state,
                       current.training(std::string(row.name), static_cast<std::size_t>(state.range(0))));
        })
        ->ArgName("batch")
        ->Arg(64)
        ->Arg(512)
        ->UseManualTime()
        ->Iterations(1)
        ->Unit(benchmark::kMillisecond);
}

}  // namespace
}  // namespace lockstep::bench

int main(int argc, char** argv) {
  const lockstep::comm::MpiSession session(argc, argv);
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 1;
  lockstep::bench::add_context();
  lockstep::bench::Current current;  // before MPI ends, its communicator has to go
  lockstep::bench::register_all(current);
  benchmark::RunSpecifiedBenchmarks();
}
