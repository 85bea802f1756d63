// SPDX-License-Identifier: BSD-3-Clause
// How much memory there is.
#pragma once

#include <cstddef>

namespace lockstep {

/// Bytes of this machine's memory. What is asked for in a file or on a command line may not be larger.
[[nodiscard]] std::size_t memory_bytes();

}  // namespace lockstep
