// SPDX-License-Identifier: BSD-3-Clause
// The halves of an allreduce, and what is written in fewer bytes on the wire.
#include "comm/reduce_scatter.hpp"

#include <cmath>
#include <numeric>
#include <vector>

#include <gtest/gtest.h>

#include "allreduce_testing.hpp"
#include "comm/messages.hpp"

namespace lockstep::comm {
namespace {

class ReduceScatterTest : public AllreduceTest {};

constexpr double bf16_rounding = 1.0 / 256.0;  // half of the last of 8 bits

TEST_F(ReduceScatterTest, EveryRankKeepsTheSumOfItsSliceForAnyLength) {
  const Codec& bf16 = *find_codec("bf16").codec;
  for (const std::size_t length : lengths_for(ranks_)) {
    const auto ring = make_ring_reduce_scatter(world_, length);
    const auto encoded = make_encoded_reduce_scatter(world_, bf16, length);
    const Expected expected = expected_of(real_number, 1, ranks_, length);
    const std::size_t begin = begin_of(length, ranks_, kept_slice(world_));
    const std::size_t end = begin_of(length, ranks_, kept_slice(world_) + 1);
    for (ReduceScatter* const half : {ring.get(), encoded.get()}) {
      std::vector<float> values = input_of(real_number, 1, world_.rank(), length);
      half->sum(values);
      const Expected of_slice{
          {expected.sums.begin() + static_cast<long>(begin), expected.sums.begin() + static_cast<long>(end)},
          {expected.magnitudes.begin() + static_cast<long>(begin),
           expected.magnitudes.begin() + static_cast<long>(end)}};
      EXPECT_TRUE(is_sum({values.begin() + static_cast<long>(begin), values.begin() + static_cast<long>(end)},
                         of_slice, half == ring.get() ? 1e-6 : bf16_rounding))
          << length;
    }
  }
}

TEST_F(ReduceScatterTest, WithTheAllgatherItIsTheRingAllreduceToTheLastBit) {
  for (const std::size_t length : lengths_for(ranks_)) {
    std::vector<float> halves = input_of(real_number, 2, world_.rank(), length);
    std::vector<float> whole = halves;
    make_ring_reduce_scatter(world_, length)->sum(halves);
    ring_allgather(world_, halves);
    make_allreduce("ring", world_, length)->sum(whole);
    EXPECT_EQ(halves, whole) << length;
  }
}

TEST_F(ReduceScatterTest, AnEncodedAllreduceIsTheSameEverywhereAndRoundsTwice) {
  const Codec& bf16 = *find_codec("bf16").codec;
  for (const std::size_t length : lengths_for(ranks_)) {
    const auto encoded = make_encoded_allreduce(world_, bf16, length);
    for (const std::uint64_t call : {3U, 4U}) {  // twice with the same buffers
      std::vector<float> values = input_of(real_number, call, world_.rank(), length);
      encoded->sum(values);
      EXPECT_TRUE(same_bits_as_root(world_, values)) << length;
      EXPECT_TRUE(is_sum(values, expected_of(real_number, call, ranks_, length),
                         ranks_ == 1 ? 0.0 : 2.1 * bf16_rounding))
          << length;
    }
  }
}

TEST_F(ReduceScatterTest, CodesOfSmallWholeNumbersAreExact) {
  const Codec& bf16 = *find_codec("bf16").codec;
  std::vector<float> values(1000);
  for (std::size_t i = 0; i < values.size(); ++i) values[i] = static_cast<float>(i % 17);
  std::vector<float> expected = values;
  for (float& value : expected) value *= static_cast<float>(ranks_);
  make_encoded_allreduce(world_, bf16, values.size())->sum(values);
  EXPECT_EQ(values, expected);
}

// Every rank tells every other a number of bytes that only the two know; whoever comes first is taken first.
TEST_F(ReduceScatterTest, MessagesComeFromAnySourceWithTheirLength) {
  constexpr std::size_t room = 64;
  Messages messages(world_, 2 * ranks_, 7);
  std::vector<std::byte> out(ranks_ * room), in(ranks_ * room);
  const auto length = [&](std::size_t from, std::size_t to) { return 1 + (5 * from + 3 * to) % room; };
  for (std::size_t k = 0; k < ranks_; ++k) {
    messages.receive(k, std::span(in).subspan(k * room, room), any_source);
    const auto text = std::span(out).subspan(k * room, length(world_.rank(), k));
    std::fill(text.begin(), text.end(), static_cast<std::byte>(world_.rank()));
    messages.send(ranks_ + k, text, k);
  }
  std::vector<bool> heard(ranks_, false);
  for (std::size_t count = 0; count < ranks_;) {
    const auto arrival = messages.poll();
    if (!arrival) continue;
    ++count;
    EXPECT_FALSE(heard[arrival->source]);
    heard[arrival->source] = true;
    EXPECT_EQ(arrival->bytes, length(arrival->source, world_.rank()));
    EXPECT_EQ(in[arrival->slot * room + arrival->bytes - 1], static_cast<std::byte>(arrival->source));
  }
  EXPECT_FALSE(messages.poll());
  messages.wait_all();
  for (std::size_t k = 0; k < ranks_; ++k) EXPECT_TRUE(messages.is_done(ranks_ + k));
  world_.barrier();
}

TEST_F(ReduceScatterTest, AMessageThatNeverComesDoesNotHoldUpTheEnd) {
  std::vector<std::byte> in(8);
  {
    Messages messages(world_, 1, 8);
    messages.receive(0, in, any_source);
  }
  world_.barrier();
}

}  // namespace
}  // namespace lockstep::comm
