// SPDX-License-Identifier: BSD-3-Clause
// Durations: as files and Slurm write them, and for people.
#pragma once

#include <string>

namespace lockstep::sweep {

/// Seconds of Slurm's six formats (minutes, minutes:seconds, hours:minutes:seconds, days-hours,
/// days-hours:minutes, days-hours:minutes:seconds), and back ("1:02:03"); `key` names it in errors.
[[nodiscard]] double parse_duration(const std::string& key, const std::string& text);
[[nodiscard]] std::string duration_text(double seconds);

/// "0.8 s", "42 s", "12 min", "3 h 05 min", "2 d 4 h".
[[nodiscard]] std::string readable_time(double seconds);

}  // namespace lockstep::sweep
