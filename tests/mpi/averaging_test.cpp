// SPDX-License-Identifier: BSD-3-Clause
// Periodic averaging: when ranks average, and how much each counts.
#include <cmath>
#include <vector>

#include <gtest/gtest.h>

#include "algorithms/averaging/drift.hpp"
#include "outcome.hpp"

namespace lockstep::algorithms {
namespace {

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
    algorithm->export_model(exported);
    EXPECT_EQ(rig.parameters(), own) << "training is to go on from where each rank is";
    EXPECT_EQ(value_of(algorithm->observations(), "sent_bytes"), value_of(before, "sent_bytes"));
    algorithm->export_model(again);
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
