// SPDX-License-Identifier: BSD-3-Clause
// Durations as text.
#include "sweep/time_text.hpp"

#include <cmath>
#include <regex>

#include <fmt/format.h>

#include "core/error.hpp"

namespace lockstep::sweep {

double parse_time(const std::string& text) {
  static const std::regex pattern("([0-9]{1,4}):([0-5][0-9]):([0-5][0-9])");
  std::smatch parts;
  if (!std::regex_match(text, parts, pattern))
    throw ConfigError({"bad value for time", "hours, minutes and seconds as H:MM:SS, e.g. 0:10:00", text});
  const double seconds = 3600.0 * std::stoi(parts[1]) + 60.0 * std::stoi(parts[2]) + std::stoi(parts[3]);
  if (seconds == 0.0) throw ConfigError({"bad value for time", "more than nothing", text});
  return seconds;
}

std::string readable_time(double seconds) {
  if (seconds < 9.95) return fmt::format("{:.1f} s", seconds);
  if (seconds < 99.5) return fmt::format("{:.0f} s", seconds);
  const auto minutes = static_cast<long long>(std::llround(seconds / 60.0));
  if (minutes < 60) return fmt::format("{} min", minutes);
  if (minutes < 48 * 60) return fmt::format("{} h {:02} min", minutes / 60, minutes % 60);
  const long long hours = std::llround(seconds / 3600.0);
  return fmt::format("{} d {} h", hours / 24, hours % 24);
}

}  // namespace lockstep::sweep
