// SPDX-License-Identifier: BSD-3-Clause
// What allreduces say that they send, against what they send.
#include <algorithm>
#include <bit>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "allreduce_testing.hpp"
#include "comm/reduce_scatter.hpp"

namespace {

std::size_t counted_bytes = 0;  // that this rank gave to MPI_Send, MPI_Isend and MPI_Sendrecv

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

extern "C" int MPI_Isend(const void* out, int count, MPI_Datatype type, int to, int tag, MPI_Comm comm,
                         MPI_Request* request) {
  count_bytes(count, type);
  return PMPI_Isend(out, count, type, to, tag, comm, request);
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

class AllreduceBytesTest : public AllreduceTest {};

// MPI_Allreduce's messages are the library's own; memory is not a message. All others say what they send.
TEST_F(AllreduceBytesTest, SentBytesAreThoseThatWereSent) {
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

TEST_F(AllreduceBytesTest, HalvesAndEncodedOnesSendWhatTheySayToo) {
  const Codec& bf16 = *find_codec("bf16").codec;
  for (const std::size_t length : lengths_for(ranks_)) {
    std::vector<float> values(length, 1.0F);
    const auto ring = make_ring_reduce_scatter(world_, length);
    const auto encoded_half = make_encoded_reduce_scatter(world_, bf16, length);
    const auto encoded = make_encoded_allreduce(world_, bf16, length);
    const auto counted = [](const auto& call) {
      counted_bytes = 0;
      call();
      return counted_bytes;
    };

    EXPECT_EQ(counted([&] { ring->sum(values); }), ring->sent_bytes(length)) << length;
    EXPECT_EQ(counted([&] { ring_allgather(world_, values); }),
              ring_allgather_length(world_, length) * sizeof(float))
        << length;
    EXPECT_EQ(counted([&] { encoded_half->sum(values); }), encoded_half->sent_bytes(length)) << length;
    EXPECT_EQ(counted([&] { encoded->sum(values); }), encoded->sent_bytes(length)) << length;
    EXPECT_EQ(2 * encoded->sent_bytes(length), make_allreduce("ring", world_, length)->sent_bytes(length));
  }
}

TEST_F(AllreduceBytesTest, NobodySendsLessThanTheLowerBound) {
  constexpr std::size_t length = 1000;
  const double bound =
      2.0 * static_cast<double>(ranks_ - 1) * length * sizeof(float);  // by all ranks together
  for (const AllreduceRow& row : allreduce_table()) {
    // Memory is written once and read by all, which messages cannot do.
    if (row.name == "shared_memory" || row.name == "hierarchical" || row.name == "auto") continue;
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

TEST_F(AllreduceBytesTest, SharedMemoryIsWrittenOnceAndByHierarchicalLeadersTwice) {
  constexpr std::size_t bytes = 1000 * sizeof(float);
  const Communicator node = world_.node();
  if (node.size() < world_.size()) GTEST_SKIP() << "the ranks are on several nodes";
  const auto shared = make_allreduce("shared_memory", world_, 1000);
  const auto hierarchical = make_allreduce("hierarchical", world_, 1000);

  const std::size_t once = ranks_ == 1 ? 0 : bytes;
  EXPECT_EQ(shared->sent_bytes(1000), once);
  EXPECT_EQ(hierarchical->sent_bytes(1000), world_.is_root() ? 2 * once : once);
}

TEST_F(AllreduceBytesTest, AutoSendsWhatTheRowThatItNamesSends) {
  constexpr std::size_t longest = 50'000;
  const auto allreduce = make_allreduce("auto", world_, longest);
  std::size_t length = 1;
  for (const AllreduceChoice& choice : allreduce->choices()) {
    for (; length * sizeof(float) <= choice.up_to_bytes; length = std::max(length + 1, length * 5 / 4)) {
      std::vector<float> values(length, 1.0F);
      const std::size_t expected = make_allreduce(choice.name, world_, length)->sent_bytes(length);
      const bool by_messages_of_ours = choice.name != "mpi" && choice.name != "shared_memory";

      counted_bytes = 0;
      allreduce->sum(values);

      EXPECT_EQ(counted_bytes, by_messages_of_ours ? expected : 0U) << choice.name << ", length " << length;
      EXPECT_EQ(allreduce->sent_bytes(length), expected) << choice.name << ", length " << length;
    }
  }
  EXPECT_GT(length, longest);
}

TEST_F(AllreduceBytesTest, NothingIsSentByARankThatIsAlone) {
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
