// SPDX-License-Identifier: BSD-3-Clause
// Allreduces in the background, against the sums of their definition.
#include "comm/nonblocking_allreduce.hpp"

#include <numeric>
#include <vector>

#include <gtest/gtest.h>

#include "allreduce_testing.hpp"

namespace lockstep::comm {
namespace {

class NonblockingAllreduceTest : public AllreduceTest {
 protected:
  // Several at once, of all lengths; twice with the same buffers. [length]
  std::vector<std::vector<float>> sums_of(NonblockingAllreduce& background, std::uint64_t call) {
    std::vector<std::vector<float>> arrays;
    for (const std::size_t length : lengths_)
      arrays.push_back(input_of(real_number, call, world_.rank(), length));
    for (std::vector<float>& array : arrays) background.start(array);
    EXPECT_LE(background.progress(), most_floats_);
    background.finish();
    return arrays;
  }

  const std::vector<std::size_t> lengths_ = lengths_for(ranks_);
  const std::size_t most_floats_ = std::accumulate(lengths_.begin(), lengths_.end(), std::size_t{0});
};

TEST_F(NonblockingAllreduceTest, SumsManyArraysAtOnce) {
  const auto mpi = make_nonblocking_mpi_allreduce(world_, lengths_.size());
  const auto ring = make_nonblocking_ring_allreduce(world_, lengths_.size(), most_floats_);
  for (NonblockingAllreduce* const background : {mpi.get(), ring.get()})
    for (const std::uint64_t call : {1U, 2U}) {
      const auto sums = sums_of(*background, call);
      for (std::size_t i = 0; i < lengths_.size(); ++i)
        EXPECT_TRUE(is_sum(sums[i], expected_of(real_number, call, ranks_, lengths_[i]), 1e-6))
            << background->name() << ", " << lengths_[i] << " floats";
    }
}

TEST_F(NonblockingAllreduceTest, TheRingIsTheRingAllreduceToTheLastBit) {
  const auto ring = make_nonblocking_ring_allreduce(world_, lengths_.size(), most_floats_);
  const auto sums = sums_of(*ring, 3);
  for (std::size_t i = 0; i < lengths_.size(); ++i) {
    std::vector<float> blocking = input_of(real_number, 3, world_.rank(), lengths_[i]);
    make_allreduce("ring", world_, lengths_[i])->sum(blocking);
    EXPECT_EQ(sums[i], blocking) << lengths_[i];
  }
}

TEST_F(NonblockingAllreduceTest, ProgressAloneIsEnough) {
  const auto ring = make_nonblocking_ring_allreduce(world_, 1, 1000);
  std::vector<float> array = input_of(whole_number, 4, world_.rank(), 1000);
  ring->start(array);
  while (ring->progress() < array.size()) {
  }
  EXPECT_TRUE(is_sum(array, expected_of(whole_number, 4, ranks_, array.size()), 0.0));
  ring->finish();
}

TEST_F(NonblockingAllreduceTest, TheEndWaitsForWhatWasStarted) {
  std::vector<float> array = input_of(whole_number, 5, world_.rank(), 100'000);
  {
    const auto ring = make_nonblocking_ring_allreduce(world_, 1, array.size());
    ring->start(array);
  }
  EXPECT_TRUE(is_sum(array, expected_of(whole_number, 5, ranks_, array.size()), 0.0));
}

}  // namespace
}  // namespace lockstep::comm
