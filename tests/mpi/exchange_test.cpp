// SPDX-License-Identifier: BSD-3-Clause
// Exchanges of gradients: all of them are serial SGD, up to rounding or to what they say that they round.
#include <algorithm>
#include <cmath>
#include <vector>

#include <gtest/gtest.h>

#include "algorithms/exchange/node_sharded_step.hpp"
#include "core/error.hpp"
#include "outcome.hpp"

namespace lockstep::algorithms {
namespace {

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

// 193 samples leave a ragged end in which ranks may have no sample at all.
TEST(ParallelSgd, IsSerialWithEveryExchangeModelAndOptimizer) {
  for (const auto& [model, optimizer, momentum] : combinations())
    // Small ones shard gradients and the first layer's forward pass, large ones less.
    for (const std::size_t batch_size : {4U, 16U, 60U, 800U}) {
      Settings settings{.algorithm = "serial",
                        .model = model,
                        .optimizer = optimizer,
                        .batch_size = batch_size,
                        .epochs = 1,
                        .samples = std::max<std::size_t>(193, 2 * batch_size + 1),
                        .batch_norm = "sync",
                        .momentum = momentum,
                        .learning_rate = 0.005};
      const Outcome serial = train(alone(), settings);
      settings.algorithm = "parallel_sgd";
      for (const ExchangeRow& row : exchange_table()) {
        settings.options["exchange"] = row.name;
        const Outcome outcome = train(world(), settings);
        EXPECT_LT(distance(outcome, serial), rounding)
            << row.name << " " << optimizer << " " << momentum << " " << batch_size << model.dump();
        if (world().size() > 1) {
          EXPECT_EQ(outcome.exchange, row.name);
          EXPECT_GT(observed(outcome, "sent_bytes"), 0);
        }
      }
    }
}

TEST(BatchNorm, WithStatisticsOfTheRanksOwnSamplesIsNotSerialButTheSameOnAllRanks) {
  if (world().size() == 1) return;
  const Settings serial{.algorithm = "serial", .model = small_resnet()};
  for (const ExchangeRow& row : exchange_table()) {
    Settings settings = serial;
    settings.algorithm = "parallel_sgd";
    settings.options["exchange"] = row.name;
    const Outcome own = train(world(), settings);
    EXPECT_GT(distance(own, train(alone(), serial)), 1e-3) << row.name;
    std::vector<float> roots = own.parameters;  // and the statistics
    world().broadcast(roots);
    EXPECT_EQ(own.parameters, roots) << row.name;
  }
}

TEST(Zero1, IsTheRingAllreduceToTheLastBit) {
  for (const auto& [model, optimizer, momentum] : combinations()) {
    Settings settings{.algorithm = "parallel_sgd",
                      .model = model,
                      .optimizer = optimizer,
                      .allreduce = "ring",
                      .momentum = momentum};
    settings.options["exchange"] = "allreduce";
    const Outcome ring = train(world(), settings);
    settings.options["exchange"] = "zero1";
    const Outcome zero1 = train(world(), settings);
    EXPECT_EQ(zero1.parameters, ring.parameters) << optimizer << " " << momentum << model.dump();
    std::vector<double> sent = {observed(zero1, "sent_bytes"), observed(ring, "sent_bytes")};
    world().sum(sent);
    EXPECT_EQ(sent[0], sent[1]);
  }
}

TEST(Zero1, HoldsTheOptimizersStateForItsShareOfTheParametersAlone) {
  Settings settings{.algorithm = "parallel_sgd", .optimizer = "adam"};
  settings.options["exchange"] = "zero1";
  Rig rig(world(), settings);
  const auto algorithm = start(rig, settings);
  const std::size_t parameters = rig.parameters().size();
  for (const auto& array : rig.context().optimizer.state().arrays) {
    EXPECT_LE(array.values.size(), parameters / world().size() + 1) << array.name;
    std::vector<double> all = {static_cast<double>(array.values.size())};
    world().sum(all);
    EXPECT_EQ(all[0], static_cast<double>(parameters)) << array.name;
  }
}

TEST(Compression, SendsHalfTheBytesAndStaysNearWithEveryExchange) {
  if (world().size() == 1) return;  // nothing is exchanged
  const Outcome serial = train(alone(), {.algorithm = "serial"});
  for (const ExchangeRow& row : exchange_table()) {
    if (!row.compresses) continue;
    Settings settings{.algorithm = "parallel_sgd", .allreduce = "ring"};
    settings.options["exchange"] = row.name;
    const Outcome whole = train(world(), settings);
    settings.options["compress"] = "bf16";
    const Outcome bf16 = train(world(), settings);
    std::vector<double> sent = {observed(bf16, "sent_bytes"), observed(whole, "sent_bytes")};
    world().sum(sent);
    // zero1 hands out parameters as floats: its gradients are half of what it sends.
    EXPECT_NEAR(sent[0] / sent[1], row.name == "zero1" ? 0.75 : 0.5, 1e-3) << row.name;
    EXPECT_LT(distance(bf16, serial), 5e-3) << row.name;
  }
}

TEST(ParallelSgd, NamingAnAllreduceAsksForIt) {
  if (world().size() == 1) return;  // nothing is exchanged
  EXPECT_EQ(train(world(), {.algorithm = "parallel_sgd", .epochs = 1, .allreduce = "ring"}).exchange,
            "allreduce");
  EXPECT_EQ(train(world(), {.algorithm = "parallel_sgd", .epochs = 1, .allreduce = "auto"}).exchange,
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

TEST(ParallelSgd, RefusesWhatCannotGoTogether) {
  if (world().size() == 1) return;  // nothing is exchanged
  EXPECT_THROW(
      train(world(), {.algorithm = "parallel_sgd", .allreduce = "ring", .options = {{"overlap", "on"}}}),
      ConfigError);
  EXPECT_THROW(
      train(world(), {.algorithm = "parallel_sgd", .options = {{"overlap", "on"}, {"exchange", "shared"}}}),
      ConfigError);
  EXPECT_THROW(
      train(world(), {.algorithm = "parallel_sgd", .options = {{"overlap", "on"}, {"exchange", "zero1"}}}),
      ConfigError);
  EXPECT_THROW(
      train(world(), {.algorithm = "parallel_sgd", .options = {{"overlap", "on"}, {"compress", "bf16"}}}),
      ConfigError);
  EXPECT_THROW(train(world(), {.algorithm = "parallel_sgd",
                               .options = {{"exchange", "shared"}, {"compress", "bf16"}}}),
               ConfigError);
}

// Groups of ranks stand for nodes.
TEST(NodeShardedStep, SumsOverNodesToo) {
  for (const std::size_t nodes : {2U, 3U, 4U}) {
    if (world().size() % nodes != 0) continue;
    for (const Json& model : {small_mlp(), small_cnn()}) {
      const Settings settings{.algorithm = "serial", .model = model, .momentum = 0.5};
      Rig rig(world(), settings);
      const TrainingContext context = rig.context();
      data::BatchPlan plan(settings.samples, settings.batch_size, data::Division::batches, world().rank(),
                           world().size(), 1);
      NodeShardedStep shared(context, plan, world().split(world().rank() * nodes / world().size()));
      EXPECT_EQ(shared.nodes(), nodes);
      context.model.bind(shared.parameters());
      context.optimizer.allocate(shared.distribution().held(context.parameters.size()));
      std::vector<std::int32_t> labels(settings.batch_size);
      for (std::uint32_t epoch = 0; epoch < settings.epochs; ++epoch) {
        plan.start_epoch(epoch);
        rig.phases().restart();
        for (std::size_t step = 0; step < plan.steps(); ++step) {
          const data::Batch batch = plan.batch(step);
          const Rows rows = shared.rows(step);
          shared.gather_others(step);
          const auto own_labels = std::span(labels).first(rows.own);
          data::gather(context.samples, batch.sample_ids,
                       {shared.inputs(rows), rows.own, context.samples.inputs.width}, own_labels);
          shared.train({.training = true, .epoch = epoch, .sample_ids = batch.sample_ids}, rows, own_labels,
                       context.options.gradient_scale(batch.gradient_samples), 0.05F);
        }
        shared.synchronize_parameters();
      }
      const Outcome serial = train(alone(), settings);
      EXPECT_LT(relative_distance(shared.parameters(), serial.parameters), rounding) << nodes << model.dump();
    }
  }
}

}  // namespace
}  // namespace lockstep::algorithms
