// SPDX-License-Identifier: BSD-3-Clause
// The equivalences that training algorithms owe each other, on however many ranks the test is run.
#include <algorithm>
#include <cmath>
#include <numeric>

#include <gtest/gtest.h>

#include "algorithms/algorithm.hpp"
#include "algorithms/averaging.hpp"
#include "comm/communicator.hpp"
#include "core/error.hpp"
#include "data/dataset.hpp"
#include "nn/model.hpp"

namespace lockstep::algorithms {
namespace {

struct Settings {
  std::string algorithm;
  std::size_t batch_size = 16;
  std::size_t epochs = 2;
  std::size_t samples = 193;  // divided neither by the batch size nor by any rank count tested
  std::string gradient = "mean";
  std::string allreduce = "mpi";
  double momentum = 0.0;
  Json options = Json::object();
  bool export_every_epoch = false;
};

/// An allreduce that remembers what the last long array was before it was summed.
class Recording final : public comm::Allreduce {
 public:
  explicit Recording(std::unique_ptr<comm::Allreduce> real) : real_(std::move(real)) {}
  void sum(std::span<float> inout) override {
    last.assign(inout.begin(), inout.end());
    real_->sum(inout);
  }
  [[nodiscard]] std::size_t sent_bytes(std::size_t length) const override {
    return real_->sent_bytes(length);
  }
  std::vector<float> last;

 private:
  std::unique_ptr<comm::Allreduce> real_;
};

struct Outcome {
  std::vector<float> initial, parameters;
  std::vector<float> exchanged;  // what this rank put into the last allreduce
  std::vector<EpochStats> epochs;
  std::vector<Observation> observations;  // of the last epoch
  double loss_sum = 0.0;                  // of the last epoch, over all ranks
};

const comm::Communicator& world() {
  static const auto* const ranks =
      new comm::Communicator(comm::Communicator::world());  // outlives MPI_Finalize
  return *ranks;
}
/// A communicator of this rank alone, for the serial side of a comparison.
const comm::Communicator& alone() {
  static const auto* const ranks = new comm::Communicator(world().split(world().rank()));
  return *ranks;
}

Outcome train(const comm::Communicator& ranks, const Settings& settings) {
  const auto source =
      data::open_dataset({.dataset = "synthetic", .synthetic_train = settings.samples, .synthetic_test = 1});
  std::vector<std::uint8_t> block(source->info().total_bytes());
  source->load(block);
  const data::Dataset dataset = data::view_dataset(source->info(), block);
  const auto gemm = math::make_gemm("eigen");
  const Json description = {{"layers",
                             {{{"type", "flatten"}},
                              {{"type", "linear"}, {"units", 12}},
                              {{"type", "leaky_relu"}, {"slope", 0.3}},
                              {{"type", "gaussian_dropout"}, {"rate", 0.2}},
                              {{"type", "linear"}, {"units", 10}}}},
                            {"loss", "cross_entropy_logits"}};
  nn::Model model(description, {.input = dataset.info.shape,
                                .classes = 10,
                                .seed = 1,
                                .max_batch = settings.batch_size,
                                .gemm = gemm.get()});
  std::vector<float> parameters(model.parameter_count()), gradients(model.parameter_count());
  model.bind(parameters);
  model.initialize();
  const auto optimizer =
      nn::make_optimizer({.optimizer = "sgd", .momentum = settings.momentum}, parameters.size());
  Recording allreduce(comm::make_allreduce(settings.allreduce, ranks, parameters.size() + 1));
  const TrainingOptions options{
      .batch_size = settings.batch_size, .epochs = settings.epochs, .seed = 1, .gradient = settings.gradient};
  const nn::ScheduleOptions schedule{.learning_rate = settings.gradient == "mean" ? 0.05 : 0.002};
  PhaseTimer phases;
  const auto algorithm = find_algorithm(settings.algorithm).make();
  Fields fields;
  algorithm->describe(fields);
  for (const auto& [key, value] : settings.options.items()) fields.find(key)->set(value);
  algorithm->start({.ranks = ranks,
                    .allreduce = allreduce,
                    .allreduce_name = settings.allreduce,
                    .model = model,
                    .parameters = parameters,
                    .gradients = gradients,
                    .optimizer = *optimizer,
                    .schedule = schedule,
                    .samples = dataset.train,
                    .options = options,
                    .phases = phases,
                    .on_step = {}});
  Outcome outcome;
  outcome.initial = parameters;
  outcome.parameters.resize(parameters.size());
  for (std::uint32_t epoch = 0; epoch < settings.epochs; ++epoch) {
    phases.restart();
    outcome.epochs.push_back(algorithm->run_epoch(epoch));
    if (settings.export_every_epoch) algorithm->export_parameters(outcome.parameters);
  }
  outcome.exchanged = allreduce.last;
  algorithm->export_parameters(outcome.parameters);
  outcome.observations = algorithm->observations();
  std::vector<double> loss = {outcome.epochs.back().loss_sum};
  ranks.sum(loss);
  outcome.loss_sum = loss[0];
  return outcome;
}

double observed(const Outcome& outcome, const std::string& name) {
  for (const Observation& seen : outcome.observations)
    if (seen.name == name) return seen.value;
  ADD_FAILURE() << "no observation " << name;
  return 0;
}

// Of two parameter sets that went the same way but for rounding.
constexpr double rounding = 2e-5;

double distance(const Outcome& a, const Outcome& b) { return relative_distance(a.parameters, b.parameters); }

TEST(Algorithms, EveryOneTrainsEverySampleOnceAnEpochAndExportsTheSameEverywhere) {
  for (const AlgorithmRow& row : algorithm_table()) {
    SCOPED_TRACE(row.name);
    const auto& ranks = row.many_ranks ? world() : alone();
    const Outcome outcome = train(ranks, {.algorithm = std::string(row.name)});
    for (const EpochStats& epoch : outcome.epochs) {
      std::vector<double> samples = {static_cast<double>(epoch.samples)};
      ranks.sum(samples);
      EXPECT_EQ(samples[0], 193);
    }
    std::vector<double> checksum = {
        std::accumulate(outcome.parameters.begin(), outcome.parameters.end(), 0.0)};
    const double mine = checksum[0];
    ranks.max(checksum);
    EXPECT_EQ(mine, checksum[0]);
  }
}

TEST(Algorithms, EveryOneIsSerialSgdOnOneRank) {
  const Outcome serial = train(alone(), {.algorithm = "serial"});
  for (const AlgorithmRow& row : algorithm_table())
    EXPECT_EQ(train(alone(), {.algorithm = std::string(row.name)}).parameters, serial.parameters) << row.name;
}

TEST(ParallelSgd, IsSerialSgdAtTheGlobalBatchForEveryBatchSizeAndGradient) {
  for (const std::size_t batch_size : {1U, 3U, 16U, 64U, 193U})
    for (const char* gradient : {"mean", "sum"}) {
      const Settings serial{
          .algorithm = "serial", .batch_size = batch_size, .epochs = 1, .gradient = gradient};
      Settings parallel = serial;
      parallel.algorithm = "parallel_sgd";
      const Outcome a = train(alone(), serial);
      const Outcome b = train(world(), parallel);
      EXPECT_LT(distance(a, b), rounding) << batch_size << " " << gradient;
      EXPECT_NEAR(b.loss_sum / a.loss_sum, 1.0, 1e-4);
    }
}

TEST(ParallelSgd, IsTheSameWithEveryAllreduce) {
  const Outcome serial = train(alone(), {.algorithm = "serial"});
  for (const comm::AllreduceRow& row : comm::allreduce_table())
    EXPECT_LT(
        distance(train(world(), {.algorithm = "parallel_sgd", .allreduce = std::string(row.name)}), serial),
        rounding)
        << row.name;
}

TEST(ParamAvg, AfterEveryStepIsParallelSgdAlsoWithMomentumAndRaggedEnds) {
  const std::size_t ranks = world().size();
  for (const double momentum : {0.0, 0.9}) {
    // Momentum is a linear recursion only while all ranks weigh the same: without a ragged end.
    const std::size_t samples = momentum == 0.0 ? 193 : 16 * ranks * 4;
    Settings averaging{
        .algorithm = "param_avg", .samples = samples, .momentum = momentum, .options = {{"avg_steps", 1}}};
    Settings parallel{
        .algorithm = "parallel_sgd", .batch_size = 16 * ranks, .samples = samples, .momentum = momentum};
    // The two divide an epoch differently, so only an epoch whose order does not matter compares: one step of
    // all.
    averaging.batch_size = (samples + ranks - 1) / ranks;
    parallel.batch_size = samples;
    averaging.epochs = parallel.epochs = 5;
    EXPECT_LT(distance(train(world(), averaging), train(world(), parallel)), rounding) << momentum;
  }
}

TEST(ParamAvg, AveragesAsOftenAsItIsTold) {
  const auto averages = [](std::size_t epochs, const Json& options) {
    return observed(train(world(), {.algorithm = "param_avg", .epochs = epochs, .options = options}),
                    "averages");
  };
  const std::size_t own = (193 + world().size() - 1) / world().size();
  const std::size_t steps = (own + 15) / 16;
  EXPECT_EQ(averages(1, {{"avg_freq", 1}}), 1);
  EXPECT_EQ(averages(2, {{"avg_freq", 2}}), 1);
  EXPECT_EQ(averages(3, {{"avg_freq", 2}}), 1) << "once more at the end";
  EXPECT_EQ(averages(2, {{"avg_freq", 0}}), 1) << "only at the end";
  EXPECT_EQ(averages(1, {{"avg_steps", 1}}), static_cast<double>(steps));
  EXPECT_EQ(averages(1, {{"avg_steps", 2}}), static_cast<double>((steps + 1) / 2));
}

TEST(ParamAvg, IsNotDisturbedByBeingLookedAtBetweenAverages) {
  Settings settings{.algorithm = "param_avg", .options = {{"avg_freq", 2}}};
  const Outcome unseen = train(world(), settings);
  settings.export_every_epoch = true;
  const Outcome seen = train(world(), settings);
  EXPECT_EQ(unseen.parameters, seen.parameters);
  EXPECT_EQ(observed(unseen, "sent_bytes"), observed(seen, "sent_bytes"));
}

TEST(ParamAvg, ExportsTheAverageOfTheRanksWhereverTheyAre) {
  // What is exported after epoch 1 of 2, before any average, is what averaging there would have given.
  Settings settings{.algorithm = "drift_avg", .epochs = 1, .options = {{"drift_threshold", 1.0}}};
  const Outcome averaged_at_the_end = train(world(), settings);
  const Outcome exported =
      train(world(), {.algorithm = "param_avg", .epochs = 1, .options = {{"avg_freq", 1}}});
  EXPECT_LT(distance(averaged_at_the_end, exported), rounding);
}

TEST(WeightedParamAvg, WithLambdaZeroIsParamAvg) {
  EXPECT_EQ(train(world(), {.algorithm = "w_param_avg", .options = {{"lambda", 0.0}}}).parameters,
            train(world(), {.algorithm = "param_avg"}).parameters);
}

TEST(WeightedParamAvg, ReallyWeighs) {
  const Outcome weighted = train(world(), {.algorithm = "w_param_avg", .options = {{"lambda", 50.0}}});
  if (world().size() == 1) return;
  const double gamma = observed(weighted, "gamma");
  const double drift = observed(weighted, "drift");
  EXPECT_NEAR(gamma, std::exp(-50.0 * drift), 1e-9);
  EXPECT_GT(drift, 0.0);
  EXPECT_LE(drift, 1.0);
  EXPECT_GT(distance(weighted, train(world(), {.algorithm = "param_avg"})), rounding);
}

TEST(WeightedParamAvg, FollowsItsFormula) {
  // One epoch, one average. The exchanged array holds gamma_i t_i and, at its end, gamma_i.
  constexpr double lambda = 30.0;
  const Outcome outcome = train(world(), {.algorithm = "w_param_avg",
                                          .epochs = 1,
                                          .samples = 64 * world().size(),
                                          .options = {{"lambda", lambda}}});
  if (world().size() == 1) return;
  const std::size_t count = outcome.initial.size();
  ASSERT_EQ(outcome.exchanged.size(), count + 1);
  const double gamma = outcome.exchanged[count];
  std::vector<float> own(count);
  std::vector<double> weighted(count + 1);
  for (std::size_t i = 0; i < count; ++i) {
    own[i] = static_cast<float>(outcome.exchanged[i] / gamma);
    weighted[i] = gamma * static_cast<double>(own[i]);
  }
  weighted[count] = gamma;
  EXPECT_NEAR(gamma, std::exp(-lambda * relative_distance(outcome.initial, own)), 1e-5);
  world().sum(weighted);
  for (std::size_t i = 0; i < count; ++i)
    ASSERT_NEAR(outcome.parameters[i], weighted[i] / weighted[count], 1e-5);
}

TEST(DriftAvg, AveragesAtEveryCheckOrNeverByItsThreshold) {
  const auto averages = [](double threshold) {
    return observed(train(world(), {.algorithm = "drift_avg",
                                    .batch_size = 4,
                                    .epochs = 1,
                                    .options = {{"drift_threshold", threshold}, {"check_steps", 2}}}),
                    "averages");
  };
  EXPECT_EQ(averages(1.0), 1) << "at the end";
  if (world().size() == 1) return;
  EXPECT_GT(averages(0.0), 2);
}

TEST(RelativeDistance, GuardsAgainstZeroOverZero) {
  const std::vector<float> zero(10), one(10, 1.0F);
  EXPECT_EQ(relative_distance(zero, zero), 0.0);
  EXPECT_EQ(relative_distance(one, one), 0.0);
  EXPECT_DOUBLE_EQ(relative_distance(zero, one), 1.0);
}

}  // namespace
}  // namespace lockstep::algorithms
