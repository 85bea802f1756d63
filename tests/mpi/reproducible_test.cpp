// SPDX-License-Identifier: BSD-3-Clause
// With `reproducible` the number of ranks changes no bit of the parameters.
#include <cstring>

#include "outcome.hpp"

namespace lockstep::algorithms {
namespace {

bool same_bits(const std::vector<float>& a, const std::vector<float>& b) {
  return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size() * sizeof(float)) == 0;
}

// Batches that 8 shards divide, that they do not, and with fewer samples than shards; each epoch's last batch
// is ragged.
TEST(Reproducible, ParallelSgdIsSerialToTheLastBit) {
  if (reproducible_shards % world().size() != 0) return;  // refused, as the programs' tests show
  for (const std::size_t batch_size : {16U, 21U, 5U})
    for (const Combination& combination : combinations()) {
      if (combination.model == small_resnet()) continue;  // batch normalisation: refused
      Settings settings{.algorithm = "parallel_sgd",
                        .model = combination.model,
                        .optimizer = combination.optimizer,
                        .batch_size = batch_size,
                        .reproducible = true,
                        .gemm = "tiled",
                        .momentum = combination.momentum};
      SCOPED_TRACE(settings.model.dump() + settings.optimizer + " " + std::to_string(batch_size));
      const Outcome parallel = train(world(), settings);
      EXPECT_EQ(parallel.exchange, "reproducible");
      settings.algorithm = "serial";
      const Outcome serial = train(alone(), settings);
      EXPECT_TRUE(same_bits(parallel.parameters, serial.parameters));
      // It is SGD, but for rounding.
      settings.reproducible = false;
      EXPECT_LT(distance(parallel, train(alone(), settings)), 4 * rounding);
    }
}

TEST(Reproducible, OtherwiseRoundingDependsOnTheNumberOfRanks) {
  if (world().size() == 1) return;
  Settings settings{.algorithm = "parallel_sgd", .gemm = "tiled"};
  settings.options["exchange"] = "allreduce";
  const Outcome parallel = train(world(), settings);
  settings.algorithm = "serial";
  settings.options = Json::object();
  EXPECT_FALSE(same_bits(parallel.parameters, train(alone(), settings).parameters));
}

}  // namespace
}  // namespace lockstep::algorithms
