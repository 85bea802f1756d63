// SPDX-License-Identifier: BSD-3-Clause
// The exchange of gradients while the backward pass goes on.
#pragma once

#include <cstddef>
#include <optional>
#include <span>

#include "comm/pending_sums.hpp"
#include "nn/model.hpp"

namespace lockstep::algorithms {

/// Sums gradients over the ranks in buckets, each as soon as the backward pass has finished it (Li et al.,
/// "PyTorch Distributed", VLDB 2020). Gradients come from the end of the flat array to its beginning, layers
/// larger than a bucket in pieces: of a network whose first layer holds most parameters, little could be
/// hidden otherwise.
class OverlappedExchange {
 public:
  /// Buckets of at least `bucket_floats`, but for the last. `comm` must outlive the result.
  OverlappedExchange(const comm::Communicator& comm, std::size_t parameter_count, std::size_t bucket_floats);

  /// What Model::train() is to call when a part of `gradients` is ready. Collective.
  void ready(std::span<float> gradients, std::size_t first, std::size_t count);
  /// After the backward pass: waits for all buckets; returns the share of the floats that were summed by
  /// then. Collective.
  double finish();

 private:
  comm::PendingSums sums_;
  std::size_t parameter_count_;
  std::size_t bucket_floats_;
  std::size_t bucket_end_;  // of what is ready and not yet started
};

/// Decides by trial: after a few steps of warming up it lets `trial_steps` go one way and as many the other,
/// and then tells which took less time on the slowest rank. Both ways compute the same.
class Trial {
 public:
  /// Which way the coming step goes.
  [[nodiscard]] bool second_way() const { return decided_ ? *decided_ : steps_ >= warm_steps + trial_steps; }
  [[nodiscard]] bool is_decided() const { return decided_.has_value(); }
  /// After a step that took `seconds`. Collective.
  void add(const comm::Communicator& ranks, double seconds);

 private:
  static constexpr std::size_t warm_steps = 8;
  static constexpr std::size_t trial_steps = 24;
  std::size_t steps_ = 0;
  double first_s_ = 0.0, second_s_ = 0.0;
  std::optional<bool> decided_;
};

}  // namespace lockstep::algorithms
