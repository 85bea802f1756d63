// SPDX-License-Identifier: BSD-3-Clause
// The exchange of gradients during the backward pass.
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string_view>

#include "comm/nonblocking_allreduce.hpp"
#include "nn/model.hpp"

namespace lockstep::algorithms {

/// Sums gradients over the ranks in buckets, each as soon as the backward pass has finished it (Li et al.,
/// "PyTorch Distributed", VLDB 2020). Gradients come from the end of the flat array to its beginning, layers
/// larger than a bucket in pieces: of a network whose first layer holds most parameters, little could be
/// hidden otherwise.
class GradientBuckets {
 public:
  /// Buckets of at least `bucket_floats`, but for the last. `comm` must outlive the result.
  GradientBuckets(const comm::Communicator& comm, std::size_t parameter_count, std::size_t bucket_floats);

  /// What Model::train() is to call when a part of `gradients` is ready. Collective.
  void ready(std::span<float> gradients, std::size_t first, std::size_t count);
  /// After the backward pass: waits for all buckets; returns the share of the floats that were summed by
  /// then. Collective.
  double finish();
  /// How the buckets are summed, as timelines say it.
  [[nodiscard]] std::string_view name() const { return sums_->name(); }

 private:
  std::unique_ptr<comm::NonblockingAllreduce> sums_;
  std::size_t parameter_count_;
  std::size_t bucket_floats_;
  std::size_t bucket_end_;  // of what is ready and not yet started
};

}  // namespace lockstep::algorithms
