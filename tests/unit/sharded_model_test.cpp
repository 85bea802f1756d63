// SPDX-License-Identifier: BSD-3-Clause
// Steps that several ranks share by parameters: the parts together are the whole.
#include "nn/sharded_model.hpp"

#include <array>
#include <cmath>

#include <gtest/gtest.h>

#include "../support/observing_gemm.hpp"
#include "core/json.hpp"
#include "trained_model.hpp"

namespace lockstep::nn {
namespace {

// Two models stand for two ranks: they share activations, each has some rows, and each takes a part of the
// parameters.
TEST(ShardedModel, GradientsOfShardsAreTogetherTheGradientOfAllRows) {
  for (const char* name : {"model_a", "lenet5"}) {
    SCOPED_TRACE(name);
    constexpr std::size_t rows = 5, first = 2;
    Trained whole(name, rows);
    const double loss = whole.train();
    Trained a(name, rows), b(name, rows);
    std::vector<float> shared(ShardedModel(a.model, rows, 2).shared_floats(rows));
    std::array<std::vector<float>, 2> own;
    double loss_of_both = 0;
    std::size_t begin_row = 0;
    for (Trained* rank : {&a, &b}) {
      const bool is_a = rank == &a;
      ShardedModel sharded(rank->model, rows, 2);
      const std::size_t count = is_a ? first : rows - first;
      auto& gradients = own[is_a ? 0 : 1];
      gradients.resize(whole.gradients.size());
      loss_of_both += sharded.backpropagate(
          {.training = true, .epoch = 0, .sample_ids = std::span(whole.ids).subspan(begin_row, count)},
          whole.examples(begin_row, count), 1.0F, {.first = 0, .values = gradients});
      sharded.share_activations(shared, rows, begin_row, count,
                                is_a ? math::Stores::streamed : math::Stores::cached);
      begin_row += count;
    }
    EXPECT_NEAR(loss_of_both, loss, 1e-4);
    std::vector<float> sum(whole.gradients.size());
    for (std::size_t i = 0; i < sum.size(); ++i) sum[i] = own[0][i] + own[1][i];
    const std::size_t middle = ShardedModel(a.model, rows, 2).shard_begin(sum.size() / 2);
    ASSERT_LT(middle, sum.size());
    const ConstMatrix in(whole.in.data(), rows, whole.features);
    ShardedModel(a.model, rows, 2)
        .add_sharded_gradients(in, shared, rows, {.first = 0, .values = std::span(sum).first(middle)});
    ShardedModel(b.model, rows, 2)
        .add_sharded_gradients(in, shared, rows, {.first = middle, .values = std::span(sum).subspan(middle)});
    for (std::size_t i = 0; i < sum.size(); ++i) ASSERT_NEAR(sum[i], whole.gradients[i], 2e-5) << i;
  }
}

TEST(ShardedModel, StoresGradientsAsTheirTargetSays) {
  constexpr std::size_t rows = 4;
  const ObservingGemm observer;
  Trained rank("model_a", rows, 1, {1, 28, 28}, observer);
  ShardedModel sharded(rank.model, rows, 1);
  std::vector<float> shared(sharded.shared_floats(rows));
  const ConstMatrix in(rank.in.data(), rows, rank.features);
  sharded.backpropagate({.training = true, .epoch = 0, .sample_ids = rank.ids}, rank.examples(), 1.0F,
                        {.first = 0, .values = rank.gradients});
  sharded.share_activations(shared, rows, 0, rows, math::Stores::cached);
  for (const math::Stores stores : {math::Stores::streamed, math::Stores::cached}) {
    (void)observer.take();
    sharded.add_sharded_gradients(in, shared, rows, {.first = 0, .values = rank.gradients, .stores = stores});
    const auto asked = observer.take();
    EXPECT_EQ(asked.size(), 3U) << "one product for each linear layer";
    for (const ObservingGemm::Asked& product : asked) EXPECT_EQ(product.stores, stores);
  }
}

TEST(ShardedModel, PartialResultsAreTogetherTheForwardPass) {
  constexpr std::size_t rows = 40;
  Trained whole("model_a", rows);
  const double loss = whole.train();
  Trained rank("model_a", rows);
  ShardedModel sharded(rank.model, rows, 2);
  const std::size_t width = sharded.partial_width();
  ASSERT_EQ(width, 256);
  const ConstMatrix in(whole.in.data(), rows, whole.features);
  const std::size_t count = sharded.blocks().front().count;
  const std::size_t middle = sharded.shard_begin(count / 3);
  std::vector<float> first(rows * width), second(rows * width);
  sharded.forward_partial(in, 0, middle, {first.data(), rows, width});
  sharded.forward_partial(in, middle, count - middle, {second.data(), rows, width});
  std::vector<float> gradients(whole.gradients.size());
  const std::array<ConstMatrix, 2> parts{ConstMatrix(first.data(), rows, width),
                                         {second.data(), rows, width}};
  const std::vector<float> unread(whole.in.size(), NAN);
  EXPECT_NEAR(sharded.backpropagate({.training = true, .epoch = 0, .sample_ids = whole.ids},
                                    {{unread.data(), rows, whole.features}, whole.labels}, 1.0F,
                                    {.first = 0, .values = gradients}, parts),
              loss, 1e-4);
  // What is sharded is what goes between ranks in fewer floats so.
  const auto blocks = sharded.blocks();
  EXPECT_TRUE(blocks[0].is_sharded && blocks[1].is_sharded);
  EXPECT_FALSE(blocks[2].is_sharded);
  for (std::size_t i = blocks[2].begin; i < gradients.size(); ++i)
    ASSERT_NEAR(gradients[i], whole.gradients[i], 2e-5) << i;
  EXPECT_EQ(ShardedModel(rank.model, 392, 2).partial_width(), 256);
  EXPECT_EQ(ShardedModel(rank.model, 393, 2).partial_width(), 0);
  EXPECT_EQ(ShardedModel(rank.model, rows, 1).partial_width(), 0);
}

}  // namespace
}  // namespace lockstep::nn
