// SPDX-License-Identifier: BSD-3-Clause
// The communicator, the shared window and the node barrier, on however many ranks the launcher gives.
#include "comm/communicator.hpp"

#include <algorithm>
#include <atomic>
#include <limits>
#include <numeric>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "comm/node_barrier.hpp"
#include "comm/shared_window.hpp"
#include "core/error.hpp"

namespace lockstep::comm {
namespace {

int world_rank() {
  int rank = 0;
  MPI_Comm_rank(MPI_COMM_WORLD, &rank);
  return rank;
}

int world_size() {
  int size = 0;
  MPI_Comm_size(MPI_COMM_WORLD, &size);
  return size;
}

TEST(Communicator, WorldHasTheRanksOfTheJob) {
  const Communicator world = Communicator::world();

  EXPECT_EQ(world.rank(), static_cast<std::size_t>(world_rank()));
  EXPECT_EQ(world.size(), static_cast<std::size_t>(world_size()));
  EXPECT_EQ(world.is_root(), world_rank() == 0);
}

TEST(Communicator, MessagesDoNotMeetThoseOfAnotherCommunicator) {
  const Communicator first = Communicator::world();
  const Communicator second = Communicator::world();
  const int next = (world_rank() + 1) % world_size();
  const int previous = (world_rank() + world_size() - 1) % world_size();
  const std::vector<int> sent = {1, 2};
  std::vector<int> received = {0, 0};
  std::vector<MPI_Request> requests(2);

  check(MPI_Isend(&sent[0], 1, MPI_INT, next, 0, first.handle(), &requests[0]), "MPI_Isend");
  check(MPI_Isend(&sent[1], 1, MPI_INT, next, 0, second.handle(), &requests[1]), "MPI_Isend");
  check(MPI_Recv(&received[1], 1, MPI_INT, previous, 0, second.handle(), MPI_STATUS_IGNORE), "MPI_Recv");
  check(MPI_Recv(&received[0], 1, MPI_INT, previous, 0, first.handle(), MPI_STATUS_IGNORE), "MPI_Recv");
  check(MPI_Waitall(2, requests.data(), MPI_STATUSES_IGNORE), "MPI_Waitall");

  EXPECT_EQ(received, sent);
}

TEST(Communicator, SplitKeepsTheOrderOfRanks) {
  const Communicator world = Communicator::world();

  const Communicator half = world.split(world.rank() % 2);

  EXPECT_EQ(half.rank(), world.rank() / 2);
  EXPECT_EQ(half.size(), (world.size() + 1 - world.rank() % 2) / 2);
}

TEST(Communicator, KnowsTheRanksOfAPartOfItInThatPartsOrder) {
  const Communicator world = Communicator::world();
  const Communicator part = world.split(world.rank() % 2);
  std::vector<std::size_t> expected;
  for (std::size_t rank = world.rank() % 2; rank < world.size(); rank += 2) expected.push_back(rank);
  EXPECT_EQ(world.ranks_of(part), expected);
}

TEST(Communicator, NodeIsAPartOfTheWorld) {
  const Communicator world = Communicator::world();

  const Communicator node = world.node();

  EXPECT_GE(node.size(), 1U);
  EXPECT_LE(node.size(), world.size());
  EXPECT_LE(node.rank(), world.rank());
}

TEST(Communicator, MovesLeaveOneOwner) {
  Communicator world = Communicator::world();
  Communicator moved = std::move(world);
  Communicator other = Communicator::world();

  other = std::move(moved);

  EXPECT_EQ(other.size(), static_cast<std::size_t>(world_size()));
  EXPECT_DOUBLE_EQ(other.max(static_cast<double>(other.rank())), static_cast<double>(world_size() - 1));
}

TEST(Communicator, BroadcastGivesRootsTextToAll) {
  const Communicator world = Communicator::world();
  for (std::size_t root = 0; root < world.size(); ++root) {
    for (const std::size_t length : {0UL, 1UL, 100'000UL}) {
      const std::string expected(length, static_cast<char>('a' + root % 26));
      std::string text = world.rank() == root ? expected : "something of my own";

      world.broadcast(text, root);

      EXPECT_EQ(text, expected);
    }
  }
}

TEST(Communicator, SumAndMaxWorkOnEachElement) {
  const Communicator world = Communicator::world();
  const auto rank = static_cast<double>(world.rank());
  const auto ranks = static_cast<double>(world.size());
  std::vector<double> sums = {rank, 1.0, -rank};
  std::vector<double> maxima = {rank, 1.0, -rank};

  world.sum(sums);
  world.max(maxima);

  EXPECT_EQ(sums, (std::vector<double>{ranks * (ranks - 1) / 2, ranks, -ranks * (ranks - 1) / 2}));
  EXPECT_EQ(maxima, (std::vector<double>{ranks - 1, 1.0, 0.0}));
}

TEST(Communicator, GatherPutsNumbersInTheOrderOfRanks) {
  const Communicator world = Communicator::world();
  const std::vector<double> mine = {static_cast<double>(world.rank()),
                                    static_cast<double>(world.rank()) + 0.5};

  const std::vector<double> all = world.gather(mine);

  std::vector<double> expected;
  for (std::size_t r = 0; world.is_root() && r < world.size(); ++r) {
    expected.push_back(static_cast<double>(r));
    expected.push_back(static_cast<double>(r) + 0.5);
  }
  EXPECT_EQ(all, expected);
}

TEST(Communicator, GatherTakesTextsOfDifferentLengths) {
  const Communicator world = Communicator::world();
  const auto text_of = [](std::size_t rank) {
    return std::string(rank * 7 % 5, static_cast<char>('a' + rank % 26));
  };

  const std::vector<std::string> all = world.gather(text_of(world.rank()));

  std::vector<std::string> expected;
  for (std::size_t r = 0; world.is_root() && r < world.size(); ++r) expected.push_back(text_of(r));
  EXPECT_EQ(all, expected);
}

TEST(Communicator, AFailedCallThrowsAndNamesItself) {
  const Communicator world = Communicator::world();
  try {
    check(MPI_Send(nullptr, 0, MPI_INT, world_size(), 0, world.handle()), "MPI_Send");
    FAIL() << "a message to a rank that does not exist was sent";
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("MPI_Send"), std::string::npos) << error.what();
    EXPECT_NE(std::string(error.what()).find("rank"), std::string::npos) << error.what();
  }
}

TEST(Communicator, SizesBeyondMpisIntAreErrors) {
  constexpr auto limit = static_cast<std::size_t>(std::numeric_limits<int>::max());

  EXPECT_EQ(to_mpi_int(limit, "floats"), std::numeric_limits<int>::max());
  EXPECT_THROW((void)to_mpi_int(limit + 1, "floats"), Error);
}

TEST(Communicator, TheLibrarysNameIsOneLine) {
  const std::string library = mpi_library();

  EXPECT_FALSE(library.empty());
  EXPECT_EQ(library.find('\n'), std::string::npos);
}

TEST(SharedWindow, ARankReadsWhatAnotherWrote) {
  const Communicator world = Communicator::world();
  const Communicator node = world.node();
  const SharedWindow window(node, node.size() * sizeof(double));
  ASSERT_EQ(window.bytes().size(), node.size() * sizeof(double));
  auto* const values = reinterpret_cast<double*>(window.bytes().data());

  std::size_t wrong = 0;
  for (int round = 0; round < 100; ++round) {
    values[node.rank()] = static_cast<double>(node.rank()) + 1000.0 * round;
    window.fence();
    for (std::size_t r = 0; r < node.size(); ++r)
      wrong += values[r] != static_cast<double>(r) + 1000.0 * round;
    window.fence();
  }
  EXPECT_EQ(wrong, 0U);
}

TEST(SharedWindow, StartsOnACacheLineWhateverItsSize) {
  const Communicator node = Communicator::world().node();
  for (const std::size_t size : {0UL, 1UL, 64UL, 100UL, 4097UL}) {
    const SharedWindow window(node, size);

    EXPECT_EQ(window.bytes().size(), size);
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(window.bytes().data()) % 64, 0U);
  }
}

TEST(SharedWindow, IsAsLargeOnEveryRankAsRankZeroAsked) {
  const Communicator node = Communicator::world().node();
  const SharedWindow window(node, node.is_root() ? 12345 : 0);
  EXPECT_EQ(window.bytes().size(), 12345U);
}

TEST(SharedWindow, SurvivesAMove) {
  const Communicator node = Communicator::world().node();
  SharedWindow window(node, sizeof(int));
  auto* const value = reinterpret_cast<int*>(window.bytes().data());
  if (node.is_root()) *value = 7;

  SharedWindow moved = std::move(window);
  moved.fence();

  EXPECT_EQ(*reinterpret_cast<int*>(moved.bytes().data()), 7);
  EXPECT_TRUE(window.bytes().empty());  // NOLINT(bugprone-use-after-move): that is what is tested
}

TEST(NodeBarrier, NobodyPassesBeforeAllHaveArrived) {
  const Communicator node = Communicator::world().node();
  const SharedWindow window(node, sizeof(std::atomic<std::size_t>));
  auto& arrived = *reinterpret_cast<std::atomic<std::size_t>*>(window.bytes().data());
  if (node.is_root()) arrived.store(0);
  window.fence();
  NodeBarrier barrier(node);

  std::size_t wrong = 0;
  for (std::size_t round = 1; round <= 2000; ++round) {
    arrived.fetch_add(1);
    barrier.wait();
    wrong += barrier.waits() != 2 * round - 1 || arrived.load() != round * node.size();
    barrier.wait();
  }
  EXPECT_EQ(wrong, 0U);
}

}  // namespace
}  // namespace lockstep::comm
