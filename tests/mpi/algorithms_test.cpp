// SPDX-License-Identifier: BSD-3-Clause
// The equivalences that training algorithms owe each other, on however many ranks the test is run.
#include <algorithm>
#include <cmath>
#include <memory>
#include <numeric>
#include <string_view>

#include <gtest/gtest.h>

#include "algorithms/algorithm.hpp"
#include "algorithms/averaging/drift.hpp"
#include "algorithms/shared_step.hpp"
#include "comm/communicator.hpp"
#include "core/error.hpp"
#include "core/json.hpp"
#include "data/dataset.hpp"
#include "rig.hpp"

namespace lockstep::algorithms {
namespace {

struct Outcome {
  std::vector<float> initial, parameters;
  std::vector<float> exchanged;  // what this rank put into the last allreduce
  std::vector<EpochStats> epochs;
  std::vector<Observation> observations;  // of the last epoch
  std::string exchange;  // chosen
  double loss_sum = 0.0;  // of the last epoch, over all ranks
};

std::unique_ptr<Algorithm> start(Rig& rig, const Settings& settings) {
  auto algorithm = find_algorithm(settings.algorithm).make();
  Fields fields;
  algorithm->describe(fields);
  for (const auto& [key, value] : settings.options.items()) fields.find(key)->set(value);
  algorithm->start(rig.worker());
  return algorithm;
}

Outcome train(const comm::Communicator& ranks, const Settings& settings) {
  Rig rig(ranks, settings);
  Outcome outcome;
  outcome.initial = rig.parameters();
  outcome.parameters.resize(outcome.initial.size());
  const auto algorithm = start(rig, settings);
  for (std::uint32_t epoch = 0; epoch < settings.epochs; ++epoch) {
    rig.phases().restart();
    outcome.epochs.push_back(algorithm->run_epoch(epoch));
    if (settings.export_every_epoch) algorithm->export_parameters(outcome.parameters);
  }
  outcome.exchanged = rig.last_exchanged();
  algorithm->export_parameters(outcome.parameters);
  outcome.observations = algorithm->observations();
  for (const Choice& choice : algorithm->choices())
    if (choice.name == "exchange") outcome.exchange = choice.decision;
  std::vector<double> loss = {outcome.epochs.back().loss_sum};
  ranks.sum(loss);
  outcome.loss_sum = loss[0];
  return outcome;
}

double value_of(const std::vector<Observation>& observations, const std::string& name) {
  for (const Observation& seen : observations)
    if (seen.name == name) return seen.value;
  ADD_FAILURE() << "no observation " << name;
  return 0;
}
double observed(const Outcome& outcome, const std::string& name) {
  return value_of(outcome.observations, name);
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

// The nodes' ranks share memory; 193 samples leave a ragged end in which ranks may have no sample at all.
TEST(ParallelSgd, WithSharedParametersIsSerialForEveryModelAndOptimizer) {
  for (const auto& [model, optimizer, momentum] : combinations())
    // Small ones divide gradients and the first layer's forward pass, large ones less (nn::Model::divide).
    for (const std::size_t batch_size : {4U, 16U, 60U, 800U}) {
      const Settings serial{.algorithm = "serial",
                            .model = model,
                            .optimizer = optimizer,
                            .batch_size = batch_size,
                            .epochs = 1,
                            .samples = std::max<std::size_t>(193, 2 * batch_size + 1),
                            .momentum = momentum,
                            .learning_rate = 0.005};
      Settings parallel = serial;
      parallel.algorithm = "parallel_sgd";
      parallel.options = {{"exchange", "shared"}};
      const Outcome shared = train(world(), parallel);
      EXPECT_LT(distance(shared, train(alone(), serial)), rounding)
          << optimizer << " " << momentum << " " << batch_size << model.dump();
      if (world().size() > 1) {
        EXPECT_EQ(shared.exchange, "shared");
        EXPECT_GT(observed(shared, "sent_bytes"), 0);
      }
    }
}

TEST(ParallelSgd, NamingAnAllreduceAsksForIt) {
  if (world().size() == 1) return;  // nothing is exchanged
  EXPECT_EQ(
      train(world(), {.algorithm = "parallel_sgd", .epochs = 1, .allreduce = "ring"}).exchange,
      "allreduce");
  EXPECT_EQ(
      train(world(), {.algorithm = "parallel_sgd", .epochs = 1, .allreduce = "auto"}).exchange,
      "shared");
}

TEST(ParallelSgd, OverlappingExchangesIsSerialForEveryBucketSize) {
  for (const Json& model : {small_mlp(), small_cnn()}) {
    const Outcome serial = train(alone(), {.algorithm = "serial", .model = model, .momentum = 0.5});
    for (const char* overlap : {"on", "auto"})
      for (const std::size_t bucket : {1U, 700U, 1000000U}) {
        const Outcome overlapped =
            train(world(), {.algorithm = "parallel_sgd",
                            .model = model,
                            .momentum = 0.5,
                            .options = {{"overlap", overlap}, {"bucket_floats", bucket}}});
        EXPECT_LT(distance(overlapped, serial), rounding) << overlap << " " << bucket << model.dump();
        if (world().size() > 1 && overlap == std::string("on")) {
          EXPECT_GE(observed(overlapped, "hidden_share"), 0);
          EXPECT_LE(observed(overlapped, "hidden_share"), 1);
        }
      }
  }
}

TEST(ParallelSgd, RefusesToOverlapWhatCannot) {
  if (world().size() == 1) return;  // nothing is exchanged
  EXPECT_THROW(
      train(world(), {.algorithm = "parallel_sgd", .allreduce = "ring", .options = {{"overlap", "on"}}}),
      ConfigError);
  EXPECT_THROW(
      train(world(), {.algorithm = "parallel_sgd", .options = {{"overlap", "on"}, {"exchange", "shared"}}}),
      ConfigError);
}

// Groups of ranks stand for nodes.
TEST(SharedStep, SumsOverNodesToo) {
  for (const std::size_t nodes : {2U, 3U, 4U}) {
    if (world().size() % nodes != 0) continue;
    for (const Json& model : {small_mlp(), small_cnn()}) {
      const Settings settings{.algorithm = "serial", .model = model, .momentum = 0.5};
      Rig rig(world(), settings);
      const Worker worker = rig.worker();
      data::BatchPlan plan(settings.samples, settings.batch_size, data::Division::batches, world().rank(),
                           world().size(), 1);
      SharedStep shared(worker, plan, world().split(world().rank() * nodes / world().size()));
      EXPECT_EQ(shared.nodes(), nodes);
      worker.model.bind(shared.parameters());
      std::vector<std::uint8_t> labels(settings.batch_size);
      for (std::uint32_t epoch = 0; epoch < settings.epochs; ++epoch) {
        plan.start_epoch(epoch);
        rig.phases().restart();
        for (std::size_t step = 0; step < plan.steps(); ++step) {
          const data::Batch batch = plan.batch(step);
          const Rows rows = shared.rows(plan, step);
          shared.gather_others(worker, plan, step);
          const auto own_labels = std::span(labels).first(rows.own);
          data::gather(worker.samples, batch.sample_ids,
                       {shared.pixels(rows), rows.own, worker.samples.features}, own_labels);
          shared.train(worker, {.training = true, .epoch = epoch, .sample_ids = batch.sample_ids}, rows,
                       own_labels, worker.options.gradient_scale(batch.gradient_samples), 0.05F);
        }
        shared.settle(worker);
      }
      const Outcome serial = train(alone(), settings);
      EXPECT_LT(relative_distance(shared.parameters(), serial.parameters), rounding) << nodes << model.dump();
    }
  }
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

// Those that average do so at the end of the training alone: being looked at comes between averages.
Settings averaging_at_the_end(std::string_view algorithm) {
  Settings settings{.algorithm = std::string(algorithm)};
  Fields fields;
  const auto made = find_algorithm(algorithm).make();
  made->describe(fields);
  const Json seldom = {{"avg_freq", 0}, {"drift_threshold", 1.0}, {"check_steps", 2}};
  for (const auto& [key, value] : seldom.items())
    if (fields.find(key) != nullptr) settings.options[key] = value;
  return settings;
}

TEST(PostLocalSgd, IsParamAvgAfterEveryStepAtFirstAndEveryFewStepsLater) {
  const auto post_local = [](std::size_t switch_epochs) {
    return train(world(), {.algorithm = "post_local_sgd",
                           .epochs = 2,
                           .options = {{"switch_epochs", switch_epochs}, {"local_steps", 3}}});
  };
  const auto param_avg = [](std::size_t steps) {
    return train(world(), {.algorithm = "param_avg", .epochs = 2, .options = {{"avg_steps", steps}}});
  };
  const Outcome always = post_local(2), never = post_local(0), switched = post_local(1);
  EXPECT_EQ(always.parameters, param_avg(1).parameters);
  EXPECT_EQ(never.parameters, param_avg(3).parameters);
  if (world().size() == 1) return;
  EXPECT_NE(switched.parameters, always.parameters);
  EXPECT_NE(switched.parameters, never.parameters);
  const std::size_t own = (193 + world().size() - 1) / world().size();
  const std::size_t steps = (own + 15) / 16;
  EXPECT_EQ(observed(switched, "averages"), static_cast<double>((steps + 2) / 3)) << "of the last epoch";
}

TEST(Algorithms, NoneIsDisturbedByBeingLookedAt) {
  for (const AlgorithmRow& row : algorithm_table()) {
    SCOPED_TRACE(row.name);
    const auto& ranks = row.many_ranks ? world() : alone();
    Settings settings = averaging_at_the_end(row.name);
    const Outcome unseen = train(ranks, settings);
    settings.export_every_epoch = true;
    const Outcome seen = train(ranks, settings);
    EXPECT_EQ(unseen.parameters, seen.parameters);
    for (const Observation& observation : unseen.observations) {
      if (observation.unit == "s" || observation.name == "hidden_share" || std::isnan(observation.value))
        continue;
      EXPECT_EQ(observation.value, observed(seen, observation.name)) << observation.name;
    }
  }
}

TEST(Averaging, ExportsTheWeightedAverageOfTheRanksWhereverTheyAre) {
  constexpr double lambda = 30.0;
  for (const char* name : {"param_avg", "w_param_avg", "drift_avg"}) {
    SCOPED_TRACE(name);
    Settings settings = averaging_at_the_end(name);
    if (name == std::string("w_param_avg")) settings.options["lambda"] = lambda;
    Rig rig(world(), settings);
    const auto algorithm = start(rig, settings);
    const std::vector<float> initial = rig.parameters();
    rig.phases().restart();
    const EpochStats epoch = algorithm->run_epoch(0);  // of two: no average is due yet
    const std::vector<float> own = rig.parameters();
    const auto before = algorithm->observations();
    EXPECT_EQ(value_of(before, "averages"), 0.0) << "this was to be before any average";
    std::vector<float> exported(own.size()), again(own.size());
    algorithm->export_parameters(exported);
    EXPECT_EQ(rig.parameters(), own) << "training is to go on from where each rank is";
    EXPECT_EQ(value_of(algorithm->observations(), "sent_bytes"), value_of(before, "sent_bytes"));
    algorithm->export_parameters(again);
    EXPECT_EQ(again, exported);

    auto weight = static_cast<double>(epoch.samples);
    if (settings.options.contains("lambda")) weight *= std::exp(-lambda * relative_distance(initial, own));
    std::vector<double> weighted(own.begin(), own.end());
    for (double& value : weighted) value *= weight;
    weighted.push_back(weight);
    world().sum(weighted);
    for (std::size_t i = 0; i < own.size(); ++i)
      ASSERT_NEAR(exported[i], weighted[i] / weighted.back(), 1e-6) << i;
    if (world().size() > 1) {
      EXPECT_GT(relative_distance(own, exported), 1e-3) << "the ranks are still alike: this tells nothing";
    } else {
      EXPECT_EQ(exported, own);
    }
  }
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
