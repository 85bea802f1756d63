// SPDX-License-Identifier: BSD-3-Clause
// What a layer offers beside Layer when its work can be shared by parameters instead of by rows.
#pragma once

#include <cstddef>
#include <span>
#include <utility>

#include "math/matrix.hpp"

namespace lockstep::nn {

/// A layer whose parameters can be cut into shards, pieces of the flat array, so that the gradients of all
/// shards cost together what the whole gradient costs, and so do their parts of the forward pass. Its
/// Layer::add_gradient takes a target that is one shard.
class ShardableLayer {
 public:
  virtual ~ShardableLayer() = default;

  /// The first parameter at or after `parameter` at which a shard may begin.
  [[nodiscard]] virtual std::size_t shard_begin(std::size_t parameter) const = 0;
  /// The columns of `in`, from first to before last, that a shard of `count` parameters from `first` on
  /// reads.
  [[nodiscard]] virtual std::pair<std::size_t, std::size_t> input_columns(std::size_t first,
                                                                          std::size_t count) const = 0;
  /// What such a shard adds to the outputs: `partial` [B, out].
  virtual void forward_partial(math::ConstMatrix in, std::size_t first, std::size_t count,
                               math::Matrix partial) = 0;
  /// What Layer::forward yields, out of the partial results of all shards.
  virtual void sum_partials(std::span<const math::ConstMatrix> partials, math::Matrix out) = 0;
};

}  // namespace lockstep::nn
