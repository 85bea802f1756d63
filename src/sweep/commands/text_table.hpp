// SPDX-License-Identifier: BSD-3-Clause
// Text for a terminal of 100 columns.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace lockstep::sweep {

/// The lines' cells in columns, two spaces apart. Columns of numbers are aligned to the right. The first line
/// is the head.
[[nodiscard]] std::string text_table(const std::vector<std::vector<std::string>>& lines);

/// "label      a, b, c", with line breaks between items and all lines indented alike; "" without items.
[[nodiscard]] std::string wrapped(std::string_view label, const std::vector<std::string>& items);

}  // namespace lockstep::sweep
