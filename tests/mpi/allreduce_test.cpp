// SPDX-License-Identifier: BSD-3-Clause
// Every row of the allreduce table against sums that each rank computes for itself.
#include "comm/allreduce.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <functional>
#include <limits>
#include <memory>
#include <string>
#include <vector>

#include <gtest/gtest.h>
#include <unistd.h>

#include "comm/allreduce_algorithms.hpp"
#include "core/error.hpp"

namespace {

std::size_t counted_bytes = 0;  // that this rank gave to MPI_Send and MPI_Sendrecv

void count_bytes(int count, MPI_Datatype type) {
  int size = 0;
  PMPI_Type_size(type, &size);
  counted_bytes += static_cast<std::size_t>(count) * static_cast<std::size_t>(size);
}

}  // namespace

// MPI's profiling interface: these stand before the library's own.
extern "C" int MPI_Send(const void* out, int count, MPI_Datatype type, int to, int tag, MPI_Comm comm) {
  count_bytes(count, type);
  return PMPI_Send(out, count, type, to, tag, comm);
}

extern "C" int MPI_Sendrecv(const void* out, int out_count, MPI_Datatype out_type, int to, int out_tag,
                            void* in, int in_count, MPI_Datatype in_type, int from, int in_tag, MPI_Comm comm,
                            MPI_Status* status) {
  count_bytes(out_count, out_type);
  return PMPI_Sendrecv(out, out_count, out_type, to, out_tag, in, in_count, in_type, from, in_tag, comm,
                       status);
}

namespace lockstep::comm {
namespace {

// A number that depends on all of its arguments and looks random.
std::uint32_t scramble(std::uint64_t call, std::uint64_t rank, std::uint64_t index) {
  std::uint64_t x = call * 0x9E3779B97F4A7C15U + rank * 0xC2B2AE3D27D4EB4FU + index + 1;
  x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9U;
  x = (x ^ (x >> 27)) * 0x94D049BB133111EBU;
  return static_cast<std::uint32_t>((x ^ (x >> 31)) >> 32);
}

/// Element `index` of the array that `rank` gives to call number `call`.
using Input = float (*)(std::uint64_t call, std::uint64_t rank, std::uint64_t index);

// Whole numbers: sums of a few hundred of them are exact in any order.
float whole_number(std::uint64_t call, std::uint64_t rank, std::uint64_t index) {
  return static_cast<float>(scramble(call, rank, index) % 20001) - 10000.0F;
}

// Of both signs and of magnitudes from 2^-10 to 2^10, so that the order of additions shows in the last bits.
float real_number(std::uint64_t call, std::uint64_t rank, std::uint64_t index) {
  const std::uint32_t bits = scramble(call, rank, index);
  const float mantissa = 1.0F + static_cast<float>(bits >> 9) * 0x1p-23F;
  return std::ldexp((bits & 1U) != 0 ? mantissa : -mantissa, static_cast<int>((bits >> 1) % 21) - 10);
}

std::vector<float> input_of(Input input, std::uint64_t call, std::size_t rank, std::size_t length) {
  std::vector<float> values(length);
  for (std::size_t i = 0; i < length; ++i) values[i] = input(call, rank, i);
  return values;
}

// Lengths around every boundary that an algorithm may have; 218058 is the gradient of a small network.
std::vector<std::size_t> lengths_for(std::size_t ranks) {
  return {0, 1, 2, ranks - 1, ranks, ranks + 1, 1000, 65'537, 218'058, (std::size_t{1} << 20) + 3};
}

/// One way to make an allreduce, and what to call it.
struct Candidate {
  std::string name;
  std::function<std::unique_ptr<Allreduce>(const Communicator&, std::size_t max_length)> make;
};

// Every row, and the hierarchical one over groups of one machine's ranks that pretend to be nodes.
std::vector<Candidate> candidates() {
  std::vector<Candidate> all;
  for (const AllreduceRow& row : allreduce_table()) all.push_back({std::string(row.name), row.make});
  const auto pretend = [&](const std::string& name,
                           std::size_t (*node_of)(std::size_t rank, std::size_t ranks)) {
    all.push_back({"hierarchical, " + name, [node_of](const Communicator& comm, std::size_t max_length) {
                     return make_hierarchical_allreduce(comm, comm.split(node_of(comm.rank(), comm.size())),
                                                        max_length);
                   }});
  };
  pretend("two nodes",
          [](std::size_t rank, std::size_t ranks) { return rank < (ranks + 1) / 2 ? 0UL : 1UL; });
  pretend("nodes of 1 and P-1", [](std::size_t rank, std::size_t) { return rank == 0 ? 0UL : 1UL; });
  pretend("ranks dealt to three nodes", [](std::size_t rank, std::size_t) { return rank % 3; });
  pretend("a node a rank", [](std::size_t rank, std::size_t) { return rank; });
  return all;
}

// True when `mine` has the same bits as rank 0's. Collective.
bool same_bits_as_root(const Communicator& comm, const std::vector<float>& mine) {
  std::vector<float> roots = mine;
  check(MPI_Bcast(roots.data(), to_mpi_int(roots.size(), "floats"), MPI_FLOAT, 0, comm.handle()),
        "MPI_Bcast");
  return std::equal(mine.begin(), mine.end(), roots.begin(), [](float a, float b) {
    return std::bit_cast<std::uint32_t>(a) == std::bit_cast<std::uint32_t>(b);
  });
}

// The number of wrong elements, and the first of them. A message for each of a million helps nobody.
testing::AssertionResult is_sum(const std::vector<float>& values, Input input, std::uint64_t call,
                                std::size_t ranks, double tolerance) {
  std::size_t wrong = 0;
  std::string first;
  for (std::size_t i = 0; i < values.size(); ++i) {
    double sum = 0.0;
    double magnitude = 0.0;
    for (std::size_t r = 0; r < ranks; ++r) {
      const double value = input(call, r, i);
      sum += value;
      magnitude += std::abs(value);
    }
    if (std::abs(values[i] - sum) <= tolerance * magnitude) continue;
    if (wrong++ == 0)
      first = "element " + std::to_string(i) + " is " + std::to_string(values[i]) + ", not " +
              std::to_string(sum);
  }
  if (wrong == 0) return testing::AssertionSuccess();
  return testing::AssertionFailure() << wrong << " of " << values.size() << " elements are wrong; " << first;
}

// No ASSERT_ here: a rank that left a test early would leave the others waiting in a collective call.
class AllreduceTest : public testing::Test {
 protected:
  const Communicator world_ = Communicator::world();
  const std::size_t ranks_ = world_.size();
};

TEST_F(AllreduceTest, TheTableHasNamesAndHelp) {
  EXPECT_FALSE(allreduce_table().empty());
  for (const AllreduceRow& row : allreduce_table()) {
    EXPECT_FALSE(row.name.empty());
    EXPECT_FALSE(row.help.empty()) << row.name;
    EXPECT_EQ(std::count_if(allreduce_table().begin(), allreduce_table().end(),
                            [&](const AllreduceRow& other) { return other.name == row.name; }),
              1)
        << row.name;
  }
}

TEST_F(AllreduceTest, AnUnknownNameIsAnErrorThatNamesTheNearest) {
  try {
    (void)make_allreduce("rng", world_, 1);
    FAIL() << "there is no allreduce 'rng'";
  } catch (const ConfigError& error) {
    EXPECT_NE(std::string(error.what()).find("'ring'"), std::string::npos) << error.what();
  }
}

TEST_F(AllreduceTest, SumsWholeNumbersExactlyAtEveryLength) {
  for (const Candidate& candidate : candidates()) {
    for (const std::size_t length : lengths_for(ranks_)) {
      const auto allreduce = candidate.make(world_, length);
      std::vector<float> values = input_of(whole_number, length, world_.rank(), length);

      allreduce->sum(values);

      EXPECT_TRUE(is_sum(values, whole_number, length, ranks_, 0.0))
          << candidate.name << ", length " << length;
    }
  }
}

TEST_F(AllreduceTest, SumsRealNumbersToRoundingAndBitwiseTheSameOnAllRanks) {
  // At most P-1 additions, each rounded: an error of at most (P-1) eps/2 of the sum of magnitudes.
  const double tolerance = static_cast<double>(ranks_) * 0x1p-24;
  for (const Candidate& candidate : candidates()) {
    for (const std::size_t length : lengths_for(ranks_)) {
      const auto allreduce = candidate.make(world_, length);
      std::vector<float> values = input_of(real_number, length, world_.rank(), length);

      allreduce->sum(values);

      EXPECT_TRUE(is_sum(values, real_number, length, ranks_, tolerance))
          << candidate.name << ", length " << length;
      EXPECT_TRUE(same_bits_as_root(world_, values)) << candidate.name << ", length " << length;
    }
  }
}

TEST_F(AllreduceTest, RepeatsTheSameBitsForTheSameInput) {
  constexpr std::size_t length = 70'001;
  for (const Candidate& candidate : candidates()) {
    const auto allreduce = candidate.make(world_, length);
    std::vector<float> first = input_of(real_number, 1, world_.rank(), length);
    std::vector<float> second = first;

    allreduce->sum(first);
    allreduce->sum(second);

    EXPECT_TRUE(first == second) << candidate.name;
  }
}

// Buffers that are used by turns go wrong only when calls follow each other, of changing lengths and
// contents.
TEST_F(AllreduceTest, CallsThatFollowEachOtherDoNotMix) {
  constexpr std::size_t longest = 300'000;
  const std::vector<std::size_t> lengths = {3,      3,       1000,   3, 140'000, 3,     3,
                                            70'000, longest, 70'000, 0, 1,       20'000};
  for (const Candidate& candidate : candidates()) {
    const auto allreduce = candidate.make(world_, longest);
    std::uint64_t call = 0;
    for (int round = 0; round < 3; ++round) {
      // No test between the calls, so that the ranks run close behind each other.
      std::vector<std::vector<float>> values;
      for (std::size_t k = 0; k < lengths.size(); ++k)
        values.push_back(input_of(whole_number, call + k, world_.rank(), lengths[k]));

      for (std::vector<float>& array : values) allreduce->sum(array);

      for (const std::vector<float>& array : values) {
        EXPECT_TRUE(is_sum(array, whole_number, call, ranks_, 0.0))
            << candidate.name << ", call " << call << ", length " << array.size();
        ++call;
      }
    }
  }
}

TEST_F(AllreduceTest, SumsRightlyWhenRanksComeLateByTurns) {
  constexpr std::size_t longest = 150'000;
  const std::vector<std::size_t> lengths = {5, 2000, longest, 5, 66'000};
  for (const Candidate& candidate : candidates()) {
    const auto allreduce = candidate.make(world_, longest);
    for (std::uint64_t call = 0; call < 60; ++call) {
      std::vector<float> values = input_of(whole_number, call, world_.rank(), lengths[call % lengths.size()]);
      const std::uint32_t chance = scramble(call, world_.rank(), 0);
      if (chance % 3 == 0) usleep(chance % 1500);

      allreduce->sum(values);
      const std::vector<float> result = values;
      std::fill(values.begin(), values.end(), -1.0F);  // nobody may read the array after the call

      EXPECT_TRUE(is_sum(result, whole_number, call, ranks_, 0.0)) << candidate.name << ", call " << call;
    }
  }
}

TEST_F(AllreduceTest, ManySmallSumsStayRight) {
  for (const Candidate& candidate : candidates()) {
    const auto allreduce = candidate.make(world_, 16);
    float expected = 1.0F;
    std::vector<float> values(16, 1.0F);
    std::size_t wrong = 0;
    for (int call = 0; call < 2000; ++call) {
      allreduce->sum(values);
      expected *= static_cast<float>(ranks_);
      wrong += values != std::vector<float>(16, expected);
      if (expected > 1000.0F) expected = 1.0F;
      std::fill(values.begin(), values.end(), expected);
    }
    EXPECT_EQ(wrong, 0U) << candidate.name;
  }
}

TEST_F(AllreduceTest, ExtremeValuesComeThrough) {
  using limits = std::numeric_limits<float>;
  const bool is_root = world_.is_root();
  const bool alone = ranks_ == 1;
  for (const Candidate& candidate : candidates()) {
    for (const std::size_t length : {8UL, 8008UL, 160'008UL}) {
      const auto allreduce = candidate.make(world_, length);
      std::vector<float> values(length);
      for (std::size_t i = 0; i < length; i += 8) {
        values[i] = limits::max();                                           // overflows beyond one rank
        values[i + 1] = is_root ? limits::infinity() : 1.0F;                 // infinite
        values[i + 2] = is_root ? limits::infinity() : -limits::infinity();  // undefined beyond one rank
        values[i + 3] = is_root ? limits::quiet_NaN() : 1.0F;                // undefined
        values[i + 4] = is_root ? limits::denorm_min() : 0.0F;               // not flushed to zero
        values[i + 5] = is_root ? limits::max() : 0.0F;                      // kept
        values[i + 6] = -0.0F;                                               // -0 + -0 is -0
        values[i + 7] = is_root ? limits::lowest() : 0.0F;
      }

      allreduce->sum(values);

      std::size_t wrong = 0;
      for (std::size_t i = 0; i < length; i += 8) {
        wrong += values[i] != (alone ? limits::max() : limits::infinity());
        wrong += values[i + 1] != limits::infinity();
        wrong += !(alone ? std::isinf(values[i + 2]) : std::isnan(values[i + 2]));
        wrong += !std::isnan(values[i + 3]);
        wrong += values[i + 4] != limits::denorm_min();
        wrong += values[i + 5] != limits::max();
        wrong += !(values[i + 6] == 0.0F && std::signbit(values[i + 6]));
        wrong += values[i + 7] != limits::lowest();
      }
      EXPECT_EQ(wrong, 0U) << candidate.name << ", length " << length;
    }
  }
}

TEST_F(AllreduceTest, LeavesTheElementsAroundTheArrayAlone) {
  constexpr std::size_t margin = 64;
  for (const Candidate& candidate : candidates()) {
    for (const std::size_t length : {1UL, 17UL, 5000UL, 66'001UL}) {
      const auto allreduce = candidate.make(world_, length);
      std::vector<float> values(length + 2 * margin + 1, 0.5F);

      allreduce->sum(std::span(values).subspan(margin + 1, length));  // and not aligned

      const auto is_untouched = [](float value) { return value == 0.5F; };
      EXPECT_TRUE(std::all_of(values.begin(), values.begin() + margin + 1, is_untouched)) << candidate.name;
      EXPECT_TRUE(std::all_of(values.end() - margin, values.end(), is_untouched)) << candidate.name;
      EXPECT_EQ(values[margin + length], 0.5F * static_cast<float>(ranks_)) << candidate.name;
    }
  }
}

TEST_F(AllreduceTest, TwoOfThemWorkSideBySide) {
  for (const Candidate& candidate : candidates()) {
    const auto first = candidate.make(world_, 5000);
    const auto second = candidate.make(world_, 100'000);
    for (std::uint64_t call = 0; call < 5; ++call) {
      std::vector<float> a = input_of(whole_number, call, world_.rank(), 5000);
      std::vector<float> b = input_of(whole_number, call + 100, world_.rank(), 100'000);

      first->sum(a);
      second->sum(b);

      EXPECT_TRUE(is_sum(a, whole_number, call, ranks_, 0.0)) << candidate.name;
      EXPECT_TRUE(is_sum(b, whole_number, call + 100, ranks_, 0.0)) << candidate.name;
    }
  }
}

TEST_F(AllreduceTest, AnArrayLongerThanPromisedIsAnError) {
  for (const Candidate& candidate : candidates()) {
    const auto allreduce = candidate.make(world_, 10);
    std::vector<float> values(11);
    EXPECT_THROW(allreduce->sum(values), Error) << candidate.name;
  }
}

// MPI_Allreduce's messages are the library's own; memory is not a message. All others say what they send.
TEST_F(AllreduceTest, SentBytesAreThoseThatWereSent) {
  for (const std::string name : {"ring", "recursive_doubling", "rabenseifner", "hierarchical"}) {
    for (const std::size_t length : lengths_for(ranks_)) {
      // A node a rank: all that a hierarchical allreduce then sends is messages.
      const auto allreduce = name == "hierarchical"
                                 ? make_hierarchical_allreduce(world_, world_.split(world_.rank()), length)
                                 : make_allreduce(name, world_, length);
      std::vector<float> values(length, 1.0F);

      counted_bytes = 0;
      allreduce->sum(values);

      EXPECT_EQ(allreduce->sent_bytes(length), counted_bytes) << name << ", length " << length;
    }
  }
}

TEST_F(AllreduceTest, NobodySendsLessThanTheLowerBound) {
  constexpr std::size_t length = 1000;
  const double bound =
      2.0 * static_cast<double>(ranks_ - 1) * length * sizeof(float);  // by all ranks together
  for (const AllreduceRow& row : allreduce_table()) {
    // Memory is written once and read by all, which messages cannot do.
    if (row.name == "shared_memory" || row.name == "hierarchical") continue;
    const auto allreduce = row.make(world_, length);
    std::vector<double> sent = {static_cast<double>(allreduce->sent_bytes(length))};

    world_.sum(sent);

    EXPECT_GE(sent[0], bound * 0.999) << row.name;
    const bool reaches_it = row.name == "ring" || (row.name == "rabenseifner" && std::has_single_bit(ranks_));
    if (reaches_it) {
      EXPECT_EQ(sent[0], bound) << row.name;
    }
  }
}

TEST_F(AllreduceTest, SharedMemoryIsWrittenOnceAndByHierarchicalLeadersTwice) {
  constexpr std::size_t bytes = 1000 * sizeof(float);
  const Communicator node = world_.node();
  if (node.size() < world_.size()) GTEST_SKIP() << "the ranks are on several nodes";
  const auto shared = make_allreduce("shared_memory", world_, 1000);
  const auto hierarchical = make_allreduce("hierarchical", world_, 1000);

  const std::size_t once = ranks_ == 1 ? 0 : bytes;
  EXPECT_EQ(shared->sent_bytes(1000), once);
  EXPECT_EQ(hierarchical->sent_bytes(1000), world_.is_root() ? 2 * once : once);
}

TEST_F(AllreduceTest, SharedMemoryAcrossNodesIsAnErrorThatNamesHierarchical) {
  if (world_.node().size() == world_.size()) GTEST_SKIP() << "all ranks are on one node";
  try {
    (void)make_allreduce("shared_memory", world_, 1);
    FAIL() << "ranks of different nodes share no memory";
  } catch (const ConfigError& error) {
    EXPECT_NE(std::string(error.what()).find("hierarchical"), std::string::npos) << error.what();
  }
}

TEST_F(AllreduceTest, NothingIsSentByARankThatIsAlone) {
  const Communicator alone = world_.split(world_.rank());
  for (const AllreduceRow& row : allreduce_table()) {
    const auto allreduce = row.make(alone, 3);
    std::vector<float> values = {1.0F, 2.0F, 3.0F};

    allreduce->sum(values);

    EXPECT_EQ(values, (std::vector<float>{1.0F, 2.0F, 3.0F})) << row.name;
    EXPECT_EQ(allreduce->sent_bytes(3), 0U) << row.name;
  }
}

}  // namespace
}  // namespace lockstep::comm
