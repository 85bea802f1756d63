// SPDX-License-Identifier: BSD-3-Clause
// What tests of allreduces have in common: inputs, all ways to make one, and the right results.
#pragma once

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "comm/allreduce.hpp"
#include "comm/allreduce_algorithms.hpp"

namespace lockstep::comm {

// A number that depends on all of its arguments and looks random.
inline std::uint32_t scramble(std::uint64_t call, std::uint64_t rank, std::uint64_t index) {
  std::uint64_t x = call * 0x9E3779B97F4A7C15U + rank * 0xC2B2AE3D27D4EB4FU + index + 1;
  x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9U;
  x = (x ^ (x >> 27)) * 0x94D049BB133111EBU;
  return static_cast<std::uint32_t>((x ^ (x >> 31)) >> 32);
}

/// Element `index` of the array that `rank` gives to call number `call`.
using Input = float (*)(std::uint64_t call, std::uint64_t rank, std::uint64_t index);

// Whole numbers: sums of a few hundred of them are exact in any order.
inline float whole_number(std::uint64_t call, std::uint64_t rank, std::uint64_t index) {
  return static_cast<float>(scramble(call, rank, index) % 20001) - 10000.0F;
}

// Of both signs and of magnitudes from 2^-10 to 2^10, so that the order of additions shows in the last bits.
inline float real_number(std::uint64_t call, std::uint64_t rank, std::uint64_t index) {
  const std::uint32_t bits = scramble(call, rank, index);
  const float mantissa = 1.0F + static_cast<float>(bits >> 9) * 0x1p-23F;
  return std::ldexp((bits & 1U) != 0 ? mantissa : -mantissa, static_cast<int>((bits >> 1) % 21) - 10);
}

inline std::vector<float> input_of(Input input, std::uint64_t call, std::size_t rank, std::size_t length) {
  std::vector<float> values(length);
  for (std::size_t i = 0; i < length; ++i) values[i] = input(call, rank, i);
  return values;
}

// Lengths around every boundary that an algorithm may have; 218058 is the gradient of a small network.
inline std::vector<std::size_t> lengths_for(std::size_t ranks) {
  return {0,    1,      2,      ranks - 1, ranks,   ranks + 1,
          1000, 32'768, 32'769, 65'537,    218'058, (std::size_t{1} << 20) + 3};
}

/// One way to make an allreduce, and what to call it.
struct Candidate {
  std::string name;
  std::function<std::unique_ptr<Allreduce>(const Communicator&, std::size_t max_length)> make;
};

// Every row, and the hierarchical one over groups of one machine's ranks that pretend to be nodes.
inline std::vector<Candidate> candidates() {
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
inline bool same_bits_as_root(const Communicator& comm, const std::vector<float>& mine) {
  std::vector<float> roots = mine;
  check(MPI_Bcast(roots.data(), to_mpi_int(roots.size(), "floats"), MPI_FLOAT, 0, comm.handle()),
        "MPI_Bcast");
  return std::equal(mine.begin(), mine.end(), roots.begin(), [](float a, float b) {
    return std::bit_cast<std::uint32_t>(a) == std::bit_cast<std::uint32_t>(b);
  });
}

/// What the ranks' arrays of one call add up to. Making it costs more than any allreduce: it is made once for
/// all.
struct Expected {
  std::vector<double> sums, magnitudes;  // [element]; the magnitudes are sums of absolute values
};

inline Expected expected_of(Input input, std::uint64_t call, std::size_t ranks, std::size_t length) {
  Expected expected{std::vector<double>(length), std::vector<double>(length)};
  for (std::size_t i = 0; i < length; ++i)
    for (std::size_t r = 0; r < ranks; ++r) {
      const double value = input(call, r, i);
      expected.sums[i] += value;
      expected.magnitudes[i] += std::abs(value);
    }
  return expected;
}

// The number of wrong elements, and the first of them. A message for each of a million helps nobody.
inline testing::AssertionResult is_sum(const std::vector<float>& values, const Expected& expected,
                                       double tolerance) {
  std::size_t wrong = 0;
  std::string first;
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (std::abs(values[i] - expected.sums[i]) <= tolerance * expected.magnitudes[i]) continue;
    if (wrong++ == 0)
      first = "element " + std::to_string(i) + " is " + std::to_string(values[i]) + ", not " +
              std::to_string(expected.sums[i]);
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

}  // namespace lockstep::comm
