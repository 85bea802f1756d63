// SPDX-License-Identifier: BSD-3-Clause
// Parsing and printing durations.
#include "sweep/spec/duration.hpp"

#include <algorithm>
#include <cctype>
#include <cmath>
#include <sstream>
#include <vector>

#include <fmt/format.h>

#include "core/error.hpp"

namespace lockstep::sweep {

double parse_duration(const std::string& key, const std::string& text) {
  double days = 0.0, value = 0.0;
  std::string clock = text;
  const auto fail = [&]() -> double {
    throw ConfigError({"bad value for " + key, "a time: H:MM:SS, MM:SS or D-HH:MM:SS", text});
  };
  const auto number = [&](const std::string& part) {
    if (part.empty() || part.size() > 6 ||
        !std::ranges::all_of(part, [](unsigned char c) { return std::isdigit(c); }))
      return fail();
    return std::stod(part);
  };
  if (const auto dash = clock.find('-'); dash != std::string::npos) {
    days = number(clock.substr(0, dash));
    clock = clock.substr(dash + 1);
  }
  std::vector<double> parts;
  std::stringstream stream(clock);
  for (std::string part; std::getline(stream, part, ':');) parts.push_back(number(part));
  if (parts.size() < 2 || parts.size() > 3 || clock.ends_with(':')) return fail();
  for (const double part : parts) value = 60.0 * value + part;
  value += 86400.0 * days;
  return value > 0.0 ? value : fail();
}

std::string duration_text(double seconds) {
  const auto whole = static_cast<long long>(std::ceil(seconds));
  return fmt::format("{}:{:02}:{:02}", whole / 3600, whole / 60 % 60, whole % 60);
}

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
