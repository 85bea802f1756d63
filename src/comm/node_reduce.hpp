// SPDX-License-Identifier: BSD-3-Clause
// Sums and broadcasts among the ranks of one node, through shared memory.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "comm/communicator.hpp"
#include "comm/node_barrier.hpp"
#include "comm/shared_window.hpp"
#include "core/work.hpp"

namespace lockstep::comm {

/// Sums and broadcasts arrays among a node's ranks through a window that all of them read and write.
///
/// The window has two halves. What becomes visible by wait number w lies in half w mod 2: it is written after
/// wait w-1 and read after wait w, hence before any rank arrives at wait w+1; so the half is free again after
/// wait w+1, and no further barrier is ever needed, whatever calls follow each other.
/// Short arrays, and any between two ranks: chunk by chunk, copy in, wait, every rank sums everything, in
/// rank order (of two, the order makes no difference). Longer ones among more ranks: chunk by chunk, copy in,
/// wait, each rank sums its slice of the chunk and copies it in, wait, copy out; the second wait of a chunk
/// is the first of the next. Either way results are bitwise the same. Steps: one wait a chunk, and by slices
/// one more. Copied in per rank: bytes. Read of what others wrote, per rank: (P-1) * bytes, and by slices
/// 2(P-1)/P * bytes. Any P, any length. Between two ranks the chunk is chosen by timing when this is made: a
/// few milliseconds.
class NodeReduce {
 public:
  enum class Receivers { all, root };

  /// Collective over `node`, whose ranks must share memory and which must outlive the result.
  NodeReduce(const Communicator& node, std::size_t max_length);

  /// `inout` becomes the sum over the node's ranks; where `receivers` is root, on its rank 0 alone (elsewhere
  /// it is undefined then). Collective over the node.
  void sum(std::span<float> inout, Receivers receivers = Receivers::all);
  /// `inout` becomes what it is on the node's rank 0. Collective over the node.
  void broadcast(std::span<float> inout);

  /// Bytes that this rank copies into the window for others to read.
  [[nodiscard]] std::size_t sum_bytes(std::size_t length) const;
  [[nodiscard]] std::size_t broadcast_bytes(std::size_t length) const;

 private:
  /// Half of the window that the coming wait makes visible, and the other one.
  [[nodiscard]] std::size_t coming_half() const { return (barrier_.waits() + 1) % 2; }
  /// A rank's own part of a half [stride_], and the part for sums of slices [stride_].
  [[nodiscard]] float* contribution(std::size_t half, std::size_t rank) const;
  [[nodiscard]] float* result(std::size_t half) const { return contribution(half, ranks_); }

  /// For two ranks: the chunk with which sums take least time here. Collective.
  void choose_chunk(const Communicator& node, std::size_t max_length);
  void sum_at_once(std::span<float> chunk, bool receives);
  void sum_by_slices(std::span<float> inout, bool receives);
  [[nodiscard]] Work sum_work(std::size_t length) const;
  /// All of a chunk but the slice of this rank.
  void copy_others(const float* from, std::size_t length, float* to) const;
  /// The slice of this rank becomes its sum, here and in the part for sums.
  void sum_slice(std::span<float> chunk, std::size_t half);

  std::size_t rank_;
  std::size_t ranks_;
  std::size_t stride_;  // floats from one rank's part of a half to the next's: the largest chunk
  std::size_t chunk_;   // floats
  NodeBarrier barrier_;
  SharedWindow window_;
};

}  // namespace lockstep::comm
