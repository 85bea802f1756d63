// SPDX-License-Identifier: BSD-3-Clause
// A serial epoch of model A beside its floor: the sum of its matrix products, timed alone, in the same run.
#include <cmath>

#include "algorithms/algorithm.hpp"
#include "bench.hpp"
#include "comm/communicator.hpp"
#include "core/aligned.hpp"
#include "core/clock.hpp"

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

// Training and floor take turns within each iteration, so that whatever disturbs the machine disturbs both.
void serial_epoch(benchmark::State& state, const std::string& gemm_name) {
  const auto batch = static_cast<std::size_t>(state.range(0));
  const auto source = data::open_dataset({.dataset = "synthetic"});
  const data::DatasetInfo info = source->info();
  std::vector<std::uint8_t> block(info.total_bytes());
  source->load(block);
  const data::Dataset dataset = data::view_dataset(info, block);
  const auto gemm = math::make_gemm(gemm_name);
  nn::Model model(
      nn::describe_model("model_a"),
      {.input = info.shape, .classes = info.classes, .seed = 1, .max_batch = batch, .gemm = gemm.get()});
  AlignedVector<float> parameters(model.parameter_count()), gradients(model.parameter_count());
  gemm->prepare(model.gemms(batch));
  model.bind(parameters);
  model.initialize();
  const auto optimizer = nn::make_optimizer({}, parameters.size());
  const comm::Communicator ranks = comm::Communicator::world();
  const auto allreduce = comm::make_allreduce("mpi", ranks, parameters.size() + 1);
  const algorithms::TrainingOptions options{
      .batch_size = batch, .epochs = 1000, .seed = 1, .gradient = "mean"};
  const nn::ScheduleOptions schedule{.learning_rate = 0.1};
  PhaseTimer phases;
  const auto algorithm = algorithms::find_algorithm("serial").make();
  algorithm->start({.ranks = ranks,
                    .allreduce = *allreduce,
                    .allreduce_name = "mpi",
                    .model = model,
                    .parameters = parameters,
                    .gradients = gradients,
                    .optimizer = *optimizer,
                    .schedule = schedule,
                    .samples = dataset.train,
                    .options = options,
                    .phases = phases,
                    .on_step = {}});
  Floor floor(model.gemms(batch), *gemm);
  const std::size_t steps = (info.train_count + batch - 1) / batch;

  std::vector<double> epoch_s, floor_s, ratio;
  double first_loss = 0.0, last_loss = 0.0;
  for (auto _ : state) {
    const auto epoch = static_cast<std::uint32_t>(epoch_s.size());
    phases.restart();
    const double start = now_s();
    const algorithms::EpochStats stats = algorithm->run_epoch(epoch);
    const double middle = now_s();
    for (std::size_t step = 0; step < steps; ++step) floor.step();
    const double end = now_s();
    epoch_s.push_back(middle - start);
    floor_s.push_back(end - middle);
    ratio.push_back(epoch_s.back() / floor_s.back());
    last_loss = stats.loss_sum / static_cast<double>(stats.samples);
    if (epoch == 0) first_loss = last_loss;
    state.SetIterationTime(middle - start);
  }
  if (!std::isfinite(last_loss) || last_loss >= first_loss)
    state.SkipWithError("the training does not learn");
  double flop = 0;
  for (const math::GemmShape& shape : model.gemms(batch)) flop += shape.flop() * static_cast<double>(steps);
  state.counters["floor_s"] = median(floor_s);
  state.counters["over_floor"] = median(ratio);
  state.counters["GFLOP/s"] = flop / median(epoch_s) * 1e-9;
}

void register_all() {
  for (const math::GemmRow& row : math::gemm_table())
    benchmark::RegisterBenchmark(
        ("serial_epoch/model_a/" + std::string(row.name)).c_str(),
        [&row](benchmark::State& state) { serial_epoch(state, std::string(row.name)); })
        ->ArgName("batch")
        ->Arg(64)
        ->Arg(512)
        ->UseManualTime()
        ->Iterations(7)
        ->Unit(benchmark::kMillisecond);
}

}  // namespace
}  // namespace lockstep::bench

int main(int argc, char** argv) {
  const lockstep::comm::MpiSession session(argc, argv);
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 1;
  lockstep::bench::add_context();
  lockstep::bench::register_all();
  benchmark::RunSpecifiedBenchmarks();
}
