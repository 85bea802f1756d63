// SPDX-License-Identifier: BSD-3-Clause
// Shared-memory reduction: the copies, the waits, and the loop that adds.
#include "comm/node_sum.hpp"

#include <algorithm>

#include "core/aligned.hpp"

namespace lockstep::comm {
namespace {

constexpr std::size_t line_floats = cache_line_bytes / sizeof(float);
// A chunk of every rank, twice, is to stay in the caches, and /dev/shm may be small: 256 KiB, 16 MiB for all.
constexpr std::size_t largest_chunk = std::size_t{1} << 16;
constexpr std::size_t largest_window = std::size_t{1} << 22;
// Up to this many floats to read, all ranks summing everything costs less than a second wait.
constexpr std::size_t at_once_limit = std::size_t{1} << 14;
constexpr std::size_t block = 2048;  // floats that stay in the first-level cache while all ranks' are added

std::size_t whole_lines(std::size_t length) { return (length + line_floats - 1) / line_floats * line_floats; }

// Where slice `index` of a chunk begins; slices begin on cache lines, so that no line has two writers.
std::size_t slice_begin(std::size_t length, std::size_t ranks, std::size_t index) {
  return std::min(length, whole_lines((length + ranks - 1) / ranks) * index);
}

void copy(const float* from, std::size_t length, float* to) { std::copy_n(from, length, to); }

void add_block(float* __restrict to, const float* __restrict from, std::size_t length) {
  for (std::size_t i = 0; i < length; ++i) to[i] += from[i];
}

// to[i] = the sum of source(r)[i] over the ranks r, in their order. `to` overlaps no source.
template <class Source>
void add_all(float* to, std::size_t length, std::size_t ranks, const Source& source) {
  for (std::size_t begin = 0; begin < length; begin += block) {
    const std::size_t count = std::min(block, length - begin);
    copy(source(0) + begin, count, to + begin);
    for (std::size_t r = 1; r < ranks; ++r) add_block(to + begin, source(r) + begin, count);
  }
}

}  // namespace

NodeSum::NodeSum(const Communicator& node, std::size_t max_length)
    : rank_(node.rank()),
      ranks_(node.size()),
      chunk_(whole_lines(std::min({max_length, largest_chunk, largest_window / (2 * (ranks_ + 1))}))),
      barrier_(node),
      window_(node, 2 * (ranks_ + 1) * chunk_ * sizeof(float)) {
  // First touch: pages lie near the rank that will write them.
  for (std::size_t half = 0; half < 2; ++half) {
    std::fill_n(contribution(half, rank_), chunk_, 0.0F);
    const std::size_t begin = slice_begin(chunk_, ranks_, rank_);
    std::fill_n(result(half) + begin, slice_begin(chunk_, ranks_, rank_ + 1) - begin, 0.0F);
  }
  window_.fence();
}

float* NodeSum::contribution(std::size_t half, std::size_t rank) const {
  return reinterpret_cast<float*>(window_.bytes().data()) + (half * (ranks_ + 1) + rank) * chunk_;
}

void NodeSum::sum(std::span<float> inout, Receivers receivers) {
  if (ranks_ == 1 || inout.empty()) return;
  const bool receives = receivers == Receivers::all || rank_ == 0;
  const bool is_short = inout.size() <= chunk_ && inout.size() * (ranks_ - 1) <= at_once_limit;
  if (is_short)
    sum_at_once(inout, receives);
  else
    sum_in_chunks(inout, receives);
}

void NodeSum::sum_at_once(std::span<float> inout, bool receives) {
  const std::size_t half = coming_half();
  copy(inout.data(), inout.size(), contribution(half, rank_));
  barrier_.wait();
  if (receives)
    add_all(inout.data(), inout.size(), ranks_, [&](std::size_t r) { return contribution(half, r); });
}

void NodeSum::sum_in_chunks(std::span<float> inout, bool receives) {
  const std::size_t chunks = (inout.size() + chunk_ - 1) / chunk_;
  const auto chunk_at = [&](std::size_t index) {
    const std::size_t begin = index * chunk_;
    return inout.subspan(begin, std::min(chunk_, inout.size() - begin));
  };
  // One wait makes the contributions to one chunk and the sums of the chunk before it visible.
  for (std::size_t index = 0; index <= chunks; ++index) {
    const std::size_t half = coming_half();
    const std::span<float> chunk = index < chunks ? chunk_at(index) : std::span<float>();
    const std::size_t begin = slice_begin(chunk.size(), ranks_, rank_);
    const std::size_t end = slice_begin(chunk.size(), ranks_, rank_ + 1);
    // All but the slice that this rank sums itself: nobody else reads that.
    float* const mine = contribution(half, rank_);
    copy(chunk.data(), begin, mine);
    copy(chunk.data() + end, chunk.size() - end, mine + end);

    barrier_.wait();

    if (index > 0 && receives) {
      const std::span<float> previous = chunk_at(index - 1);
      copy(result(half), previous.size(), previous.data());
    }
    add_all(result(1 - half) + begin, end - begin, ranks_, [&](std::size_t r) -> const float* {
      return (r == rank_ ? chunk.data() : contribution(half, r)) + begin;
    });
  }
}

void NodeSum::broadcast(std::span<float> inout) {
  if (ranks_ == 1) return;
  for (std::size_t begin = 0; begin < inout.size(); begin += chunk_) {
    const std::span<float> chunk = inout.subspan(begin, std::min(chunk_, inout.size() - begin));
    float* const shared = contribution(coming_half(), 0);
    if (rank_ == 0) copy(chunk.data(), chunk.size(), shared);
    barrier_.wait();
    if (rank_ != 0) copy(shared, chunk.size(), chunk.data());
  }
}

std::size_t NodeSum::sum_bytes(std::size_t length) const { return ranks_ == 1 ? 0 : length * sizeof(float); }

std::size_t NodeSum::broadcast_bytes(std::size_t length) const {
  return ranks_ == 1 || rank_ != 0 ? 0 : length * sizeof(float);
}

}  // namespace lockstep::comm
