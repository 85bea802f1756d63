// SPDX-License-Identifier: BSD-3-Clause
// How long steps took: counts of durations, by size.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace lockstep {

/// A log-linear histogram of durations: 64 buckets between 2^k and 2^(k+1) seconds, from 7.5 ns to 36 hours;
/// what is beyond counts in the outermost bucket. So a percentile is at most 1/128 (0.8%) off, however many
/// steps there are. The largest duration is exact.
class StepTimes {
 public:
  static constexpr int buckets_an_octave_log2 = 6;
  static constexpr int lowest_exponent = -27, highest_exponent = 17;
  static constexpr std::size_t bucket_count = static_cast<std::size_t>(highest_exponent - lowest_exponent)
                                              << buckets_an_octave_log2;

  /// A few instructions; allocates nothing.
  void add(double seconds) {
    ++counts_[bucket_of(seconds)];
    ++count_;
    if (seconds > largest_s_) largest_s_ = seconds;
  }
  /// Adds durations that were counted elsewhere. Throws Error if there is no such bucket.
  void add(std::size_t bucket, std::uint64_t count);
  void note_largest(double seconds) {
    if (seconds > largest_s_) largest_s_ = seconds;
  }
  void clear();

  [[nodiscard]] std::uint64_t count() const { return count_; }
  /// 0 without durations.
  [[nodiscard]] double largest_s() const { return largest_s_; }
  /// The duration that a share of all, 0 to 1, does not exceed (nearest rank); NaN without durations.
  [[nodiscard]] double quantile_s(double share) const;
  [[nodiscard]] const std::vector<std::uint64_t>& counts() const { return counts_; }

 private:
  // The exponent of a double and the first bits of its mantissa are one number, which grows with the double.
  static std::size_t bucket_of(double seconds) {
    constexpr int dropped_bits = 52 - buckets_an_octave_log2;
    constexpr std::int64_t first = static_cast<std::int64_t>(lowest_exponent + 1023)
                                   << buckets_an_octave_log2;
    if (!(seconds > 0.0)) return 0;
    const std::int64_t bucket = (std::bit_cast<std::int64_t>(seconds) >> dropped_bits) - first;
    if (bucket < 0) return 0;
    return bucket < static_cast<std::int64_t>(bucket_count) ? static_cast<std::size_t>(bucket)
                                                            : bucket_count - 1;
  }

  std::vector<std::uint64_t> counts_ = std::vector<std::uint64_t>(bucket_count);
  std::uint64_t count_ = 0;
  double largest_s_ = 0.0;
};

}  // namespace lockstep
