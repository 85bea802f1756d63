// SPDX-License-Identifier: BSD-3-Clause
// The straight line through times of messages: alpha + bytes * beta, and how well it fits.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

namespace lockstep::simulate {

/// Between the two nearest values; `share` is 0.5 for the median. `values` is not empty.
[[nodiscard]] double quantile(std::vector<double> values, double share);

struct Quartiles {
  double low = 0.0, median = 0.0, high = 0.0;
};
[[nodiscard]] Quartiles quartiles_of(const std::vector<double>& values);

struct MessageTime {
  std::size_t bytes = 0;
  Quartiles seconds;
};

struct Line {
  double alpha_s = 0.0;
  double beta_s_per_byte = 0.0;

  [[nodiscard]] double seconds(std::size_t bytes) const {
    return alpha_s + beta_s_per_byte * static_cast<double>(bytes);
  }
  /// The line's time over the measured median, less 1.
  [[nodiscard]] double error(const MessageTime& time) const {
    return seconds(time.bytes) / time.seconds.median - 1.0;
  }
};

/// The line, alpha and beta above 0, with the least sum of relative errors without their signs, so that a few
/// sizes that were disturbed hardly count. Those of 512 KiB and more count four times: gradients are such
/// messages, and shorter ones often pass through buffers faster than the cable is. Throws Error if times do
/// not grow with bytes.
[[nodiscard]] Line fit_line(std::span<const MessageTime> times);

/// Relative errors without their signs.
struct LineErrors {
  double median = 0.0;
  double largest = 0.0;
  std::size_t largest_at_bytes = 0;
};
[[nodiscard]] LineErrors errors_of(const Line& line, std::span<const MessageTime> times);

}  // namespace lockstep::simulate
