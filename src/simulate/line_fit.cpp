// SPDX-License-Identifier: BSD-3-Clause
// Least relative errors.
#include "simulate/line_fit.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include "core/error.hpp"

namespace lockstep::simulate {
namespace {

double weight_of(const MessageTime& time) {
  constexpr std::size_t long_bytes = std::size_t{512} << 10;
  constexpr double of_long = 4.0;
  return time.bytes >= long_bytes ? of_long : 1.0;
}

}  // namespace

double quantile(std::vector<double> values, double share) {
  std::ranges::sort(values);
  const double at = share * static_cast<double>(values.size() - 1);
  const auto below = static_cast<std::size_t>(at);
  const std::size_t above = std::min(below + 1, values.size() - 1);
  return std::lerp(values[below], values[above], at - static_cast<double>(below));
}

Quartiles quartiles_of(const std::vector<double>& values) {
  return {.low = quantile(values, 0.25), .median = quantile(values, 0.5), .high = quantile(values, 0.75)};
}

// The best line goes through two of the points, as the sum is linear between the lines that do.
Line fit_line(std::span<const MessageTime> times) {
  Line best;
  double least = std::numeric_limits<double>::infinity();
  for (const MessageTime& a : times)
    for (const MessageTime& b : times) {
      if (b.bytes <= a.bytes) continue;
      const double beta = (b.seconds.median - a.seconds.median) / static_cast<double>(b.bytes - a.bytes);
      const Line line{.alpha_s = a.seconds.median - beta * static_cast<double>(a.bytes),
                      .beta_s_per_byte = beta};
      if (!(line.alpha_s > 0.0) || !(line.beta_s_per_byte > 0.0)) continue;
      double sum = 0.0;
      for (const MessageTime& time : times) sum += weight_of(time) * std::abs(line.error(time));
      if (sum >= least) continue;
      least = sum;
      best = line;
    }
  if (std::isinf(least))
    throw Error({.what = "no straight line goes through the times of the messages",
                 .expected = "times that grow with the bytes",
                 .got = "times that fall",
                 .hint = "measure again, longer (--seconds), while nothing else uses the nodes"});
  return best;
}

LineErrors errors_of(const Line& line, std::span<const MessageTime> times) {
  LineErrors errors;
  std::vector<double> all;
  for (const MessageTime& time : times) {
    all.push_back(std::abs(line.error(time)));
    if (all.back() <= errors.largest) continue;
    errors.largest = all.back();
    errors.largest_at_bytes = time.bytes;
  }
  errors.median = quantile(all, 0.5);
  return errors;
}

}  // namespace lockstep::simulate
