// SPDX-License-Identifier: BSD-3-Clause
// Shared-memory reduction: the copies, the waits, and the loop that adds.
#include "comm/node_reduce.hpp"

#include <algorithm>
#include <array>
#include <vector>

#include "core/aligned.hpp"
#include "core/clock.hpp"

namespace lockstep::comm {
namespace {

constexpr std::size_t line_floats = cache_line_bytes / sizeof(float);
// A chunk of every rank, twice, is to stay in the caches, and /dev/shm may be small: 256 KiB, 16 MiB for all.
constexpr std::size_t largest_chunk = std::size_t{1} << 16;
constexpr std::size_t largest_window = std::size_t{1} << 22;
// Two ranks take whole chunks. Which are best depends on the caches: those of 128 KiB on a Zen 5, of 512 KiB,
// twice as fast, on a Zen 4, where a chunk should have left the writer's second-level cache when the other
// rank reads it.
constexpr std::array<std::size_t, 2> chunks_of_two = {std::size_t{1} << 15, std::size_t{1} << 17};
// Up to this many floats to read, all ranks summing everything costs less than a second wait.
constexpr std::size_t at_once_limit = std::size_t{1} << 14;
constexpr std::size_t block = 2048;  // floats that stay in the first-level cache while all ranks' are added

std::size_t whole_lines(std::size_t length) { return (length + line_floats - 1) / line_floats * line_floats; }

// Where slice `index` of a chunk begins; slices begin on cache lines, so that no line has two writers.
std::size_t slice_begin(std::size_t length, std::size_t ranks, std::size_t index) {
  return std::min(length, whole_lines((length + ranks - 1) / ranks) * index);
}

void copy(const float* from, std::size_t length, float* to) {
  const Working working([&] { return array_work(node_copy, length, 2); });
  if (working) std::copy_n(from, length, to);
}

void add_block(float* __restrict to, const float* __restrict from, std::size_t length) {
  for (std::size_t i = 0; i < length; ++i) to[i] += from[i];
}

void sum_blocks(float* __restrict to, const float* __restrict a, const float* __restrict b,
                std::size_t length) {
  for (std::size_t i = 0; i < length; ++i) to[i] = a[i] + b[i];
}

// to[i] = the sum of source(r)[i] over all ranks r, at least two, in their order. `to` overlaps no source.
template <class Source>
void add_all(float* to, std::size_t length, std::size_t ranks, const Source& source) {
  for (std::size_t begin = 0; begin < length; begin += block) {
    const std::size_t count = std::min(block, length - begin);
    sum_blocks(to + begin, source(0) + begin, source(1) + begin, count);
    for (std::size_t r = 2; r < ranks; ++r) add_block(to + begin, source(r) + begin, count);
  }
}

std::size_t chunk_for(std::size_t ranks, std::size_t max_length) {
  const std::size_t most =
      ranks == 2 ? chunks_of_two.back() : std::min(largest_chunk, largest_window / (2 * (ranks + 1)));
  return whole_lines(std::min(max_length, most));
}

}  // namespace

NodeReduce::NodeReduce(const Communicator& node, std::size_t max_length)
    : rank_(node.rank()),
      ranks_(node.size()),
      stride_(chunk_for(ranks_, max_length)),
      chunk_(stride_),
      barrier_(node),
      window_(node, 2 * (ranks_ + 1) * stride_ * sizeof(float)) {
  // First touch: pages lie near the rank that will write them.
  for (std::size_t half = 0; half < 2; ++half) {
    std::fill_n(contribution(half, rank_), chunk_, 0.0F);
    const std::size_t begin = slice_begin(chunk_, ranks_, rank_);
    std::fill_n(result(half) + begin, slice_begin(chunk_, ranks_, rank_ + 1) - begin, 0.0F);
  }
  window_.fence();
  if (ranks_ == 2 && max_length > chunks_of_two.front()) choose_chunk(node, max_length);
}

// By timing. Sums of two are the same bits whatever the chunk.
void NodeReduce::choose_chunk(const Communicator& node, std::size_t max_length) {
  constexpr std::size_t sample_floats = std::size_t{1} << 18, rounds = 8;
  std::vector<float> sample(std::min(max_length, sample_floats));
  std::array<double, chunks_of_two.size()> fastest_s{};
  for (std::size_t i = 0; i < fastest_s.size(); ++i) {
    chunk_ = std::min(chunks_of_two[i], stride_);
    for (std::size_t round = 0; round < rounds; ++round) {
      const double start_s = now_s();
      sum(sample);
      const double s = now_s() - start_s;
      if (round == 0 || s < fastest_s[i]) fastest_s[i] = s;
    }
  }
  node.max(fastest_s);
  chunk_ = std::min(chunks_of_two[fastest_s[1] < fastest_s[0] ? 1 : 0], stride_);
}

float* NodeReduce::contribution(std::size_t half, std::size_t rank) const {
  return reinterpret_cast<float*>(window_.bytes().data()) + (half * (ranks_ + 1) + rank) * stride_;
}

void NodeReduce::sum(std::span<float> inout, Receivers receivers) {
  if (ranks_ == 1 || inout.empty()) return;
  const bool receives = receivers == Receivers::all || rank_ == 0;
  // Slices spare a rank the parts of others that it does not sum; of two ranks either way reads one array.
  const bool by_slices = ranks_ > 2 && inout.size() * (ranks_ - 1) > at_once_limit;
  if (by_slices) return sum_by_slices(inout, receives);
  for (std::size_t begin = 0; begin < inout.size(); begin += chunk_)
    sum_at_once(inout.subspan(begin, std::min(chunk_, inout.size() - begin)), receives);
}

void NodeReduce::sum_at_once(std::span<float> chunk, bool receives) {
  const std::size_t half = coming_half();
  copy(chunk.data(), chunk.size(), contribution(half, rank_));
  barrier_.wait();
  if (!receives) return;
  const Working working([&] { return sum_work(chunk.size()); });
  if (!working) return;
  if (ranks_ == 2)  // a + b is b + a: no need to read the own part back
    add_block(chunk.data(), contribution(half, 1 - rank_), chunk.size());
  else
    add_all(chunk.data(), chunk.size(), ranks_, [&](std::size_t r) { return contribution(half, r); });
}

void NodeReduce::sum_by_slices(std::span<float> inout, bool receives) {
  const std::size_t chunks = (inout.size() + chunk_ - 1) / chunk_;
  const auto chunk_at = [&](std::size_t index) {
    const std::size_t begin = std::min(inout.size(), index * chunk_);
    return inout.subspan(begin, std::min(chunk_, inout.size() - begin));
  };
  // One wait makes the contributions to one chunk and the sums of the chunk before it visible. The slice that
  // this rank sums itself is neither copied in nor out: nobody else reads the one, and the other is here
  // already.
  for (std::size_t index = 0; index <= chunks; ++index) {
    const std::size_t half = coming_half();
    const std::span<float> chunk = chunk_at(index);
    copy_others(chunk.data(), chunk.size(), contribution(half, rank_));

    barrier_.wait();

    if (index > 0 && receives) {
      const std::span<float> previous = chunk_at(index - 1);
      copy_others(result(half), previous.size(), previous.data());
    }
    sum_slice(chunk, half);
  }
}

// Of all ranks' parts, into `length` floats.
Work NodeReduce::sum_work(std::size_t length) const { return array_work(node_add, (ranks_ - 1) * length, 3); }

void NodeReduce::copy_others(const float* from, std::size_t length, float* to) const {
  const std::size_t begin = slice_begin(length, ranks_, rank_);
  const std::size_t end = slice_begin(length, ranks_, rank_ + 1);
  copy(from, begin, to);
  copy(from + end, length - end, to + end);
}

// Sums in private memory and copies the sum to the window. Measured: a loop that stores to lines which
// another core has read takes twice as long as the C library's copy.
void NodeReduce::sum_slice(std::span<float> chunk, std::size_t half) {
  const std::size_t first = slice_begin(chunk.size(), ranks_, rank_);
  const std::size_t end = slice_begin(chunk.size(), ranks_, rank_ + 1);
  const Working working([&] { return sum_work(end - first); });
  if (!working) return;
  for (std::size_t begin = first; begin < end; begin += block) {
    const std::size_t count = std::min(block, end - begin);
    float* const own = chunk.data() + begin;
    for (std::size_t distance = 1; distance < ranks_; ++distance)
      add_block(own, contribution(half, (rank_ + distance) % ranks_) + begin, count);
    std::copy_n(own, count, result(1 - half) + begin);
  }
}

void NodeReduce::broadcast(std::span<float> inout) {
  if (ranks_ == 1) return;
  for (std::size_t begin = 0; begin < inout.size(); begin += chunk_) {
    const std::span<float> chunk = inout.subspan(begin, std::min(chunk_, inout.size() - begin));
    float* const shared = contribution(coming_half(), 0);
    if (rank_ == 0) copy(chunk.data(), chunk.size(), shared);
    barrier_.wait();
    if (rank_ != 0) copy(shared, chunk.size(), chunk.data());
  }
}

std::size_t NodeReduce::sum_bytes(std::size_t length) const {
  return ranks_ == 1 ? 0 : length * sizeof(float);
}

std::size_t NodeReduce::broadcast_bytes(std::size_t length) const {
  return ranks_ == 1 || rank_ != 0 ? 0 : length * sizeof(float);
}

}  // namespace lockstep::comm
