// SPDX-License-Identifier: BSD-3-Clause
// Least squares on relative errors.
#include "simulate/line_fit.hpp"

#include <algorithm>
#include <cmath>

#include <fmt/format.h>

#include "core/error.hpp"

namespace lockstep::simulate {

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

// With u = 1/t and v = bytes/t the relative error is alpha u + beta v - 1.
Line fit_line(std::span<const MessageTime> times) {
  double uu = 0.0, uv = 0.0, vv = 0.0, u_sum = 0.0, v_sum = 0.0;
  for (const MessageTime& time : times) {
    const double u = 1.0 / time.seconds.median, v = static_cast<double>(time.bytes) / time.seconds.median;
    uu += u * u;
    uv += u * v;
    vv += v * v;
    u_sum += u;
    v_sum += v;
  }
  const double determinant = uu * vv - uv * uv;
  const Line line{.alpha_s = (u_sum * vv - v_sum * uv) / determinant,
                  .beta_s_per_byte = (v_sum * uu - u_sum * uv) / determinant};
  if (!(line.alpha_s > 0.0) || !(line.beta_s_per_byte > 0.0))
    throw Error(
        {.what = "no straight line goes through the times of the messages",
         .expected = "times that grow with the bytes: alpha and beta above 0",
         .got = fmt::format("alpha_s {:.3g}, beta_s_per_byte {:.3g}", line.alpha_s, line.beta_s_per_byte),
         .hint = "measure again, longer (--seconds), while nothing else uses the nodes"});
  return line;
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
