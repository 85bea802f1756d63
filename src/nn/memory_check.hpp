// SPDX-License-Identifier: BSD-3-Clause
// A model is refused before memory is taken that this machine does not have.
#pragma once

namespace lockstep::nn {

/// Throws ConfigError if the machine's memory does not hold so many floats. They are a double because
/// products of sizes that people give may overflow.
void check_memory(double floats);

}  // namespace lockstep::nn
