// SPDX-License-Identifier: BSD-3-Clause
// Numbers that are not finite are noticed at the step where they arise, and named by rank and layer.
#include <cmath>

#include <gmock/gmock.h>

#include "outcome.hpp"

namespace lockstep::algorithms {
namespace {

using testing::HasSubstr;

// A linear model with zero weights: its outputs and its loss are finite whatever the inputs are.
Json linear_model() {
  return Json::parse(R"({"layers": [{"type": "flatten"}, {"type": "linear", "units": 10}], "loss": "mse"})");
}

/// Trains an epoch in which the last rank's inputs are pixels times `scale`.
struct Disturbed {
  Disturbed(const Settings& settings, float scale) : ranks(ranks_for(settings)), rig(ranks, settings) {
    TrainingContext context = rig.context();
    samples = context.samples;
    is_culprit = ranks.rank() + 1 == ranks.size();
    if (is_culprit) samples.scale = scale;
    std::ranges::fill(context.parameters, 0.0F);
    algorithm = find_algorithm(settings.algorithm).make();
    Options options;
    algorithm->describe(options);
    for (const auto& [key, value] : settings.options.items()) options.find(key)->set(value);
    // The context as it is, with other samples.
    const TrainingContext disturbed{.ranks = context.ranks,
                                    .allreduce = context.allreduce,
                                    .allreduce_name = context.allreduce_name,
                                    .model = context.model,
                                    .parameters = context.parameters,
                                    .layer_state = context.layer_state,
                                    .gradients = context.gradients,
                                    .optimizer = context.optimizer,
                                    .schedule = context.schedule,
                                    .samples = samples,
                                    .options = context.options,
                                    .phases = context.phases,
                                    .sum_over_ranks = {},
                                    .on_step = {},
                                    .on_last_step = {}};
    algorithm->start(disturbed);
    rig.phases().restart();
    algorithm->run_epoch(0);
  }

  const comm::Communicator& ranks;
  Rig rig;
  data::Samples samples;
  bool is_culprit = false;
  std::unique_ptr<Algorithm> algorithm;
};

TEST(Trouble, NoneIsSeenWhereThereIsNone) {
  for (Settings settings : variants()) {
    SCOPED_TRACE(settings.algorithm + settings.options.dump());
    settings.model = linear_model();
    EXPECT_EQ(Disturbed(settings, 1.0F / 255.0F).algorithm->trouble(), nullptr);
  }
}

TEST(Trouble, AnInfiniteInputIsSeenByItsRankAtTheFirstStep) {
  for (Settings settings : variants()) {
    SCOPED_TRACE(settings.algorithm + settings.options.dump());
    const Disturbed disturbed(settings, std::numeric_limits<float>::infinity());
    if (!disturbed.is_culprit) continue;
    const Trouble* const trouble = disturbed.algorithm->trouble();
    ASSERT_NE(trouble, nullptr);
    EXPECT_EQ(trouble->epoch, 0U);
    EXPECT_EQ(trouble->step, 1U);
    EXPECT_THAT(trouble->what, HasSubstr("loss"));
  }
}

// Several samples of one class: the sum of their products with the loss's derivative, -1, overflows.
TEST(Trouble, AGradientThatOverflowsIsCaughtAtTheExchangeAndNamedByRankAndLayer) {
  for (Settings settings : variants()) {
    if (settings.algorithm != "parallel_sgd" || settings.options.value("exchange", "allreduce") == "shared")
      continue;
    if (settings.options.value("exchange", "") == "zero1") continue;  // one rank alone sees it
    SCOPED_TRACE(settings.options.dump());
    settings.model = linear_model();
    settings.gradient = "sum";
    settings.batch_size = 20 * world().size();
    settings.options["exchange"] = settings.options.value("exchange", "allreduce");
    const Disturbed disturbed(settings, 1e36F);
    if (world().size() == 1) continue;  // without an exchange the next step sees it
    const Trouble* const trouble = disturbed.algorithm->trouble();
    ASSERT_NE(trouble, nullptr);
    EXPECT_EQ(trouble->step, 1U);
    EXPECT_THAT(trouble->what, HasSubstr("linear1/weight"));
    EXPECT_THAT(trouble->what,
                HasSubstr(disturbed.is_culprit ? "its gradient is not finite" : "its own is finite"));
  }
}

TEST(Trouble, AModelThatIsNotFiniteIsSeenBeforeItIsAveraged) {
  Settings settings{.algorithm = "param_avg"};
  settings.model = linear_model();
  settings.gradient = "sum";
  settings.batch_size = 97;
  settings.samples = 97 * world().size();  // one step an epoch: no later step of the rank's own sees it
  const Disturbed disturbed(settings, 1e36F);
  const Trouble* const trouble = disturbed.algorithm->trouble();
  EXPECT_EQ(trouble != nullptr, disturbed.is_culprit);
  if (trouble != nullptr) {
    EXPECT_THAT(trouble->what, HasSubstr("before an average"));
    EXPECT_THAT(trouble->what, HasSubstr("linear1/weight"));
  }
}

}  // namespace
}  // namespace lockstep::algorithms
