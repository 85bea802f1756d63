// SPDX-License-Identifier: BSD-3-Clause
// What every training algorithm owes, on however many ranks the test is run.
#include <cmath>
#include <numeric>
#include <vector>

#include <gtest/gtest.h>

#include "outcome.hpp"

namespace lockstep::algorithms {
namespace {

TEST(Algorithms, EveryOneTrainsEverySampleOnceAnEpochAndExportsTheSameEverywhere) {
  for (const Settings& settings : variants()) {
    SCOPED_TRACE(settings.algorithm + settings.options.dump());
    const auto& ranks = ranks_for(settings);
    const Outcome outcome = train(ranks, settings);
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

TEST(Algorithms, HoldWhatTheyDeclare) {
  const Outcome serial = train(alone(), {.algorithm = "serial"});
  for (const Settings& settings : variants()) {
    SCOPED_TRACE(settings.algorithm + settings.options.dump());
    const auto& ranks = ranks_for(settings);
    const Capabilities holds = capabilities_of(settings);
    Rig rig(ranks, settings);
    const auto algorithm = start(rig, settings);
    rig.phases().restart();
    const EpochStats epoch = algorithm->run_epoch(0);  // of two: without an average at the end
    std::vector<float> exported(rig.exported_size());
    algorithm->export_model(exported);
    // A divided epoch has as many steps as a serial one.
    const std::size_t steps = (193 + settings.batch_size - 1) / settings.batch_size;
    if (ranks.size() > 1) {
      EXPECT_EQ(epoch.steps == steps, holds.divides_batches) << epoch.steps;
    }
    if (holds.one_model) {
      std::vector<float> roots = exported;
      ranks.broadcast(roots);
      EXPECT_EQ(exported, roots);
    }
    const Outcome first = train(ranks, settings);
    if (holds.equals_serial) {
      EXPECT_LT(distance(first, serial), rounding);
    } else if (ranks.size() > 1) {
      EXPECT_GT(distance(first, serial), rounding) << "it is more than it says";
    }
    if (holds.deterministic) {
      EXPECT_EQ(train(ranks, settings).parameters, first.parameters);
    }
  }
}

TEST(Algorithms, EveryOneIsSerialSgdOnOneRank) {
  const Outcome serial = train(alone(), {.algorithm = "serial"});
  for (const Settings& settings : variants())
    EXPECT_EQ(train(alone(), settings).parameters, serial.parameters)
        << settings.algorithm << settings.options.dump();
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

}  // namespace
}  // namespace lockstep::algorithms
