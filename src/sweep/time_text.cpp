// SPDX-License-Identifier: BSD-3-Clause
// Durations to read.
#include "sweep/time_text.hpp"

#include <cmath>

#include <fmt/format.h>

namespace lockstep::sweep {

std::string readable_time(double seconds) {
  if (seconds < 9.95) return fmt::format("{:.1f} s", seconds);
  if (seconds < 99.5) return fmt::format("{:.0f} s", seconds);
  const long long minutes = std::llround(seconds / 60.0);
  if (minutes < 60) return fmt::format("{} min", minutes);
  if (minutes < 48 * 60) return fmt::format("{} h {:02} min", minutes / 60, minutes % 60);
  const long long hours = std::llround(seconds / 3600.0);
  return fmt::format("{} d {} h", hours / 24, hours % 24);
}

}  // namespace lockstep::sweep
