// SPDX-License-Identifier: BSD-3-Clause
// Whether numbers are finite.
#pragma once

#include <span>

namespace lockstep::math {

/// False if any value is infinite or not a number. Reads as fast as memory gives.
[[nodiscard]] bool all_finite(std::span<const float> values);

}  // namespace lockstep::math
