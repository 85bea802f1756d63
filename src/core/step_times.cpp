// SPDX-License-Identifier: BSD-3-Clause
// Percentiles of a histogram.
#include "core/step_times.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>

#include "core/error.hpp"

namespace lockstep {

void StepTimes::add(std::size_t bucket, std::uint64_t count) {
  if (bucket >= bucket_count)
    throw Error({.what = "there is no such bucket of step times",
                 .expected = "at most " + std::to_string(bucket_count - 1),
                 .got = std::to_string(bucket)});
  counts_[bucket] += count;
  count_ += count;
}

void StepTimes::clear() {
  std::ranges::fill(counts_, 0U);
  count_ = 0;
  largest_s_ = 0.0;
}

double StepTimes::quantile_s(double share) const {
  if (count_ == 0) return std::numeric_limits<double>::quiet_NaN();
  const auto rank = static_cast<std::uint64_t>(std::ceil(share * static_cast<double>(count_)));
  if (rank >= count_) return largest_s_;
  std::uint64_t below = 0;
  std::size_t bucket = 0;
  while ((below += counts_[bucket]) < std::max<std::uint64_t>(rank, 1)) ++bucket;
  constexpr std::size_t per_octave = std::size_t{1} << buckets_an_octave_log2;
  const double middle =
      1.0 + (static_cast<double>(bucket % per_octave) + 0.5) / static_cast<double>(per_octave);
  return std::min(std::ldexp(middle, lowest_exponent + static_cast<int>(bucket / per_octave)), largest_s_);
}

}  // namespace lockstep
