// SPDX-License-Identifier: BSD-3-Clause
// Durations to read.
#pragma once

#include <string>

namespace lockstep::sweep {

/// "0.8 s", "42 s", "12 min", "3 h 05 min", "2 d 4 h".
[[nodiscard]] std::string readable_time(double seconds);

}  // namespace lockstep::sweep
