// SPDX-License-Identifier: BSD-3-Clause
// Buckets from the end of the parameters to their beginning.
#include "algorithms/exchange/gradient_buckets.hpp"

#include <cassert>

namespace lockstep::algorithms {

GradientBuckets::GradientBuckets(const comm::Communicator& comm, std::size_t parameter_count,
                                 std::size_t bucket_floats)
    : sums_(comm::make_nonblocking_allreduce(comm, parameter_count / bucket_floats + 1, parameter_count)),
      parameter_count_(parameter_count),
      bucket_floats_(bucket_floats),
      bucket_end_(parameter_count) {}

void GradientBuckets::ready(std::span<float> gradients, std::size_t first,
                            [[maybe_unused]] std::size_t count) {
  assert(first + count <= bucket_end_);
  if (bucket_end_ - first >= bucket_floats_ || first == 0) {
    sums_->start(gradients.subspan(first, bucket_end_ - first));
    bucket_end_ = first;
  }
  (void)sums_->progress();
}

double GradientBuckets::finish() {
  assert(bucket_end_ == 0);
  const std::size_t hidden = sums_->progress();
  sums_->finish();
  bucket_end_ = parameter_count_;
  return static_cast<double>(hidden) / static_cast<double>(parameter_count_);
}

}  // namespace lockstep::algorithms
