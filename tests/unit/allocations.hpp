// SPDX-License-Identifier: BSD-3-Clause
// Counting allocations, for tests that there are none.
#pragma once

#include <cstddef>

namespace lockstep {

/// How often this test program has called operator new by now.
[[nodiscard]] std::size_t allocations();

}  // namespace lockstep
