// SPDX-License-Identifier: BSD-3-Clause
// Parsing and printing durations.
#include "sweep/spec/duration.hpp"

#include <cmath>
#include <regex>

#include <fmt/format.h>

#include "core/error.hpp"

namespace lockstep::sweep {

double parse_duration(const std::string& key, const std::string& text) {
  // Up to three numbers, which are hours, minutes, seconds after days; without days, one number is minutes,
  // and two are minutes and seconds.
  static const std::regex pattern(R"((?:(\d{1,6})-)?(\d{1,6})(?::(\d{1,6}))?(?::(\d{1,6}))?)");
  std::smatch match;
  double seconds = 0.0;
  if (std::regex_match(text, match, pattern)) {
    const auto number = [&](std::size_t i) { return match[i].matched ? std::stod(match.str(i)) : 0.0; };
    const bool begins_with_hours = match[1].matched || match[4].matched;
    seconds = begins_with_hours ? ((24.0 * number(1) + number(2)) * 60.0 + number(3)) * 60.0 + number(4)
                                : number(2) * 60.0 + number(3);
  }
  if (seconds > 0.0) return seconds;
  throw ConfigError({"bad value for " + key,
                     "a time as Slurm has it: H:MM:SS, D-HH:MM:SS, D-HH:MM, D-HH, MM:SS or minutes", text});
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
  if (minutes < 48LL * 60) return fmt::format("{} h {:02} min", minutes / 60, minutes % 60);
  const long long hours = std::llround(seconds / 3600.0);
  return fmt::format("{} d {} h", hours / 24, hours % 24);
}

}  // namespace lockstep::sweep
