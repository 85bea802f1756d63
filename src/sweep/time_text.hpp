// SPDX-License-Identifier: BSD-3-Clause
// Durations as people and Slurm write them.
#pragma once

#include <string>

namespace lockstep::sweep {

/// "1:30:00" in seconds. Throws ConfigError for anything else than H:MM:SS.
[[nodiscard]] double parse_time(const std::string& text);

/// Seconds to read: "0.8 s", "42 s", "12 min", "3 h 05 min", "2 d 4 h".
[[nodiscard]] std::string readable_time(double seconds);

}  // namespace lockstep::sweep
