// SPDX-License-Identifier: BSD-3-Clause
// What safety and sight cost: epochs with and without the watchdog and the checks, recorded in a timeline and
// not, or reproducible and not, in turns in one process.
#include <cmath>
#include <memory>

#include "algorithms/algorithm.hpp"
#include "algorithms/training_parts.hpp"
#include "bench.hpp"
#include "comm/same_bits.hpp"
#include "core/clock.hpp"
#include "core/json.hpp"
#include "core/options.hpp"
#include "core/timeline.hpp"
#include "synthetic.hpp"
#include "watch/watchdog.hpp"

namespace lockstep::bench {
namespace {

struct Case {
  std::string algorithm, exchange;  // "": the algorithm has none
  std::size_t batch = 0;
  bool reproducible = false;
};

/// A training of model A, and its clock.
class Training {
 public:
  Training(const comm::Communicator& ranks, const Case& what)
      : ranks_(ranks),
        description_(nn::describe_model("model_a")),
        options_{
            .batch_size = what.batch, .epochs = 1000, .gradient = "mean", .reproducible = what.reproducible},
        parts_(ranks, synthetic_dataset(),
               {.model_description = description_,
                .training = options_,
                .optimizer = optimizer_,
                .schedule = schedule_,
                .gemm = "tiled",
                .allreduce = "shared_memory",
                .max_batch = what.batch}),
        algorithm_(algorithms::find_algorithm(what.algorithm).make()) {
    Options options;
    algorithm_->describe(options);
    if (!what.exchange.empty()) options.find("exchange")->set(what.exchange);
    algorithm_->start(parts_.context());
    (void)epoch_s();
    first_loss_ = last_loss_;
  }

  /// Seconds of an epoch on the slowest rank. Collective.
  double epoch_s() {
    ranks_.barrier();
    parts_.phases().restart();
    const double start_s = now_s();
    const algorithms::EpochStats stats = algorithm_->run_epoch(epoch_++);
    const double time_s = ranks_.max(now_s() - start_s);
    last_loss_ = stats.loss_sum / static_cast<double>(stats.samples);
    return time_s;
  }
  /// The same watched, its gradients checked and, where the ranks have one model, its parameters compared.
  double checked_epoch_s(const comm::Communicator& node) {
    const watch::Watchdog watchdog(ranks_, node, 600.0);
    parts_.phases().publish_to(watchdog.progress());
    options_.check_finite = true;
    double time_s = epoch_s();
    parts_.phases().publish_to(nullptr);
    options_.check_finite = false;
    if (!algorithm_->capabilities().one_model) return time_s;
    const double start_s = now_s();
    agree_ = agree_ && comm::ranks_that_differ(ranks_, parts_.context().parameters).empty();
    return time_s + ranks_.max(now_s() - start_s);
  }
  /// The same recorded: all steps, all phases.
  double traced_epoch_s(Timeline& timeline) {
    timeline.clear();
    timeline.begin_epoch(epoch_ + 1, now_s());
    parts_.phases().record_to(&timeline);
    const double time_s = epoch_s();
    parts_.phases().record_to(nullptr);
    traced_ = traced_ && timeline.steps_recorded() > 0 && timeline.steps_left_out() == 0;
    return time_s;
  }
  void check_nothing() { options_.check_finite = false; }
  [[nodiscard]] bool is_right() const {
    return agree_ && traced_ && std::isfinite(last_loss_) && last_loss_ < first_loss_;
  }

 private:
  const comm::Communicator& ranks_;
  Json description_;
  nn::OptimizerOptions optimizer_;
  nn::ScheduleOptions schedule_{.learning_rate = 0.1};
  algorithms::TrainingOptions options_;
  algorithms::TrainingParts parts_;
  std::unique_ptr<algorithms::Algorithm> algorithm_;
  std::uint32_t epoch_ = 0;
  double first_loss_ = 0.0, last_loss_ = 0.0;
  bool agree_ = true, traced_ = true;
};

double quantile(std::vector<double> values, double q) {
  std::sort(values.begin(), values.end());
  return values[static_cast<std::size_t>(q * static_cast<double>(values.size() - 1) + 0.5)];
}

// Pairs of epochs; the two take turns in going first.
template <class One, class Other>
void report_pairs(benchmark::State& state, One one, Other other) {
  std::vector<double> time_s, ratio;
  for (auto _ : state) {
    const bool one_first = ratio.size() % 2 == 0;
    double first = one_first ? one() : 0.0;
    const double second = other();
    if (!one_first) first = one();
    time_s.push_back(first);
    ratio.push_back(first / second);
    state.SetIterationTime(first);
  }
  state.counters["ratio"] = median(ratio);
  // Half of the pairs lie between these; the interval of the median is narrower by sqrt(pairs).
  state.counters["ratio_low"] = quantile(ratio, 0.25);
  state.counters["ratio_high"] = quantile(ratio, 0.75);
}

void checked_over_unchecked(benchmark::State& state, const comm::Communicator& ranks,
                            const comm::Communicator& node, const Case& what) {
  Training training(ranks, what);
  training.check_nothing();
  report_pairs(
      state, [&] { return training.checked_epoch_s(node); }, [&] { return training.epoch_s(); });
  if (!training.is_right()) state.SkipWithError("the training does not learn, or the ranks differ");
}

void traced_over_untraced(benchmark::State& state, const comm::Communicator& ranks, const Case& what) {
  constexpr std::size_t enough_steps = 10000;
  Training training(ranks, what);
  Timeline timeline(enough_steps);
  report_pairs(
      state, [&] { return training.traced_epoch_s(timeline); }, [&] { return training.epoch_s(); });
  if (!training.is_right()) state.SkipWithError("the training does not learn, or steps are not recorded");
}

void reproducible_over_usual(benchmark::State& state, const comm::Communicator& ranks, Case what) {
  Training usual(ranks, what);
  what.reproducible = true;
  Training reproducible(ranks, what);
  report_pairs(
      state, [&] { return reproducible.epoch_s(); }, [&] { return usual.epoch_s(); });
  if (!usual.is_right() || !reproducible.is_right()) state.SkipWithError("the training does not learn");
}

void register_all(const comm::Communicator& ranks, const comm::Communicator& node) {
  const auto set_up = [](benchmark::internal::Benchmark* bench, std::int64_t pairs) {
    bench->UseManualTime()->Iterations(pairs)->Unit(benchmark::kMillisecond);
  };
  for (const std::size_t batch : {64U, 512U}) {
    const std::string suffix = "/batch:" + std::to_string(batch);
    for (const auto& [algorithm, exchange] :
         {std::pair{"parallel_sgd", "allreduce"}, {"parallel_sgd", "shared"}, {"param_avg", ""}}) {
      const Case what{algorithm, exchange, batch};
      const std::string name = what.algorithm + (what.exchange.empty() ? "" : "_" + what.exchange) + suffix;
      set_up(benchmark::RegisterBenchmark(("checked_over_unchecked/" + name).c_str(),
                                          [&ranks, &node, what](benchmark::State& state) {
                                            checked_over_unchecked(state, ranks, node, what);
                                          }),
             40);
      set_up(benchmark::RegisterBenchmark(
                 ("traced_over_untraced/" + name).c_str(),
                 [&ranks, what](benchmark::State& state) { traced_over_untraced(state, ranks, what); }),
             40);
    }
    const Case what{"parallel_sgd", "allreduce", batch};
    set_up(benchmark::RegisterBenchmark(
               ("reproducible_over_usual/parallel_sgd_allreduce" + suffix).c_str(),
               [&ranks, what](benchmark::State& state) { reproducible_over_usual(state, ranks, what); }),
           10);
  }
}

}  // namespace
}  // namespace lockstep::bench

int main(int argc, char** argv) {
  using namespace lockstep;
  const comm::MpiSession session(argc, argv);
  const comm::Communicator ranks = comm::Communicator::world();
  const comm::Communicator node = ranks.node();
  if (!ranks.is_root()) argc = bench::drop_output_file(argc, argv);
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 1;
  bench::add_context();
  benchmark::AddCustomContext("ranks", std::to_string(ranks.size()));
  bench::register_all(ranks, node);
  bench::run_on_all(ranks);
}
