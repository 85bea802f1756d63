// SPDX-License-Identifier: BSD-3-Clause
// Counts what operator new is asked for.
#pragma once

#include <cstddef>

namespace lockstep {

/// Allocations through operator new since the program began.
[[nodiscard]] std::size_t allocations();
/// Bytes that are held now in blocks that were allocated with an alignment, as all buffers are.
[[nodiscard]] std::size_t aligned_bytes();

}  // namespace lockstep
