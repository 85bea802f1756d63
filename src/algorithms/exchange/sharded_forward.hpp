// SPDX-License-Identifier: BSD-3-Clause
// The first layer's forward pass, divided among ranks by parameters instead of by samples.
#pragma once

#include <vector>

#include "algorithms/exchange/node_shards.hpp"
#include "algorithms/training_context.hpp"
#include "comm/shared_window.hpp"
#include "core/aligned.hpp"
#include "math/gemm.hpp"
#include "nn/sharded_model.hpp"

namespace lockstep::algorithms {

/// Each rank multiplies its part of the first layer's parameters by the inputs that belong to it, for all
/// samples of the node, and receives for its own samples what the other parts contribute. So these
/// parameters, most of a small network's, are read and written by one rank alone and stay in its cache;
/// otherwise each rank would read in every step what the others have just changed.
class ShardedForward {
 public:
  /// `parts`: of the first layer, of the node's ranks in their order; steps of up to `largest_rows` samples
  /// together. Collective over `node`.
  ShardedForward(const nn::ShardedModel& model, const comm::Communicator& node,
                 const std::vector<Part>& parts, std::size_t largest_rows);

  /// Computes this rank's contribution for the node's samples, `in` [rows.all, width], and writes it where
  /// the others read it after a wait; after streamed stores, simd::fence_streams() must come before that
  /// wait.
  void contribute(const TrainingContext& context, const nn::ShardedModel& model, math::ConstMatrix in,
                  const Rows& rows, math::Stores stores);
  /// After that wait: the contributions of all ranks for this rank's samples. They hold until the next wait.
  [[nodiscard]] std::span<const math::ConstMatrix> contributions(const Rows& rows);
  /// Bytes that contribute() writes for others.
  [[nodiscard]] std::size_t sent_bytes(const Rows& rows) const {
    return own_.empty() ? 0 : (rows.all - rows.own) * width_ * sizeof(float);
  }

 private:
  [[nodiscard]] math::Matrix published(std::size_t rank) const;

  std::size_t width_, largest_rows_;
  std::size_t rank_;
  Part part_;
  std::vector<std::size_t> owners_;  // of parameters of the first layer
  AlignedVector<float>
      own_;  // [largest_rows, width]: this rank's contribution; empty if it owns none of them
  comm::SharedWindow window_;  // [rank, largest_rows, width]
  std::vector<math::ConstMatrix> contributions_;
};

}  // namespace lockstep::algorithms
