// SPDX-License-Identifier: BSD-3-Clause
// Who trains on which samples: the order of an epoch, its division among workers, and batches as a model
// takes them.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "core/aligned.hpp"
#include "core/work.hpp"
#include "data/dataset.hpp"
#include "math/matrix.hpp"

namespace lockstep::data {

/// A contiguous range [begin, end).
struct Range {
  std::size_t begin = 0;
  std::size_t end = 0;
  [[nodiscard]] std::size_t size() const { return end - begin; }
};

/// Part `index` of `count` equal parts of 0 .. total-1; sizes differ by one at most, larger ones first.
[[nodiscard]] Range share(std::size_t total, std::size_t index, std::size_t count);

/// How the workers divide an epoch.
enum class Division {
  batches,  ///< every global batch is divided: worker i of P takes part i of each batch of `batch_size`
  samples,  ///< the epoch is divided: each worker makes its own batches of `batch_size` from its part
};

/// One step's work.
struct Batch {
  std::span<const std::uint32_t> sample_ids;  ///< this worker's samples
  std::size_t gradient_samples = 0;  ///< samples of the gradient's mean: the global batch's, or this worker's
  std::size_t largest = 0;           ///< worker 0's samples in this step: no worker has more
};

/// Every sample of an epoch exactly once, in an order that depends on (seed, epoch) alone, divided among
/// `count` workers. The number of steps is the same for every worker; in the last ones a worker may have
/// fewer samples than others, or none.
class BatchPlan {
 public:
  /// `parts`, a multiple of `count`: divided batches are made of so many equal parts, and a worker takes
  /// consecutive ones; 0: one a worker.
  BatchPlan(std::size_t samples, std::size_t batch_size, Division division, std::size_t index,
            std::size_t count, std::uint32_t seed, std::size_t parts = 0);

  /// Draws the order of an epoch. Allocates nothing.
  void start_epoch(std::uint32_t epoch);
  [[nodiscard]] std::size_t steps() const { return steps_; }
  [[nodiscard]] Batch batch(std::size_t step) const;
  /// The most samples that a step has for this worker.
  [[nodiscard]] std::size_t largest_batch() const;
  /// The samples of any part of a divided batch.
  [[nodiscard]] std::span<const std::uint32_t> part(std::size_t step, std::size_t part) const;
  /// The samples of any worker in a step.
  [[nodiscard]] std::span<const std::uint32_t> samples_of(std::size_t step, std::size_t worker) const {
    const Range range = worker_range(step, worker);
    return std::span(order_).subspan(range.begin, range.size());
  }

 private:
  [[nodiscard]] std::size_t size_of(std::size_t step) const;
  [[nodiscard]] Range worker_range(std::size_t step, std::size_t worker) const;

  std::size_t batch_size_;
  Division division_;
  std::size_t index_, count_, parts_;
  std::uint32_t seed_;
  std::size_t steps_;
  AlignedVector<std::uint32_t> order_;
};

/// What gathering `columns` of the inputs of `rows` samples costs, with their targets.
[[nodiscard]] Work gather_work(const Samples& samples, std::size_t rows, Range columns);

/// Row i of `inputs` becomes the inputs of sample ids[i] times the set's scale; row i of `targets`, [ids,
/// targets of a sample], its targets.
void gather(const Samples& samples, std::span<const std::uint32_t> ids, math::Matrix inputs,
            std::span<std::int32_t> targets);

/// Each by itself. Of the inputs only `columns` are gathered; the others stay as they are.
void gather_targets(const Samples& samples, std::span<const std::uint32_t> ids,
                    std::span<std::int32_t> targets);
void gather_columns(const Samples& samples, std::span<const std::uint32_t> ids, Range columns,
                    math::Matrix inputs);

/// Prefetches samples that will be gathered soon: they are scattered over a set that fits no cache.
void prefetch(const Samples& samples, std::span<const std::uint32_t> ids, Range columns);

}  // namespace lockstep::data
