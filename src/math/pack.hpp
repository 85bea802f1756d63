// SPDX-License-Identifier: BSD-3-Clause
// Copies of parts of matrices into contiguous panels.
#pragma once

#include <cstddef>

#include "math/matrix.hpp"

namespace lockstep::math {

/// panel[i * panel_columns + j] = from(i, j) for all of `from` [rows, cols], 0 for cols <= j < panel_columns.
void pack_rows(ConstMatrix from, float* panel, std::size_t panel_columns);
/// panel[i * panel_columns + j] = from(j, i): the transpose of `from`, zeros behind its rows likewise.
void pack_transposed(ConstMatrix from, float* panel, std::size_t panel_columns);

}  // namespace lockstep::math
