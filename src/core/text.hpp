// SPDX-License-Identifier: BSD-3-Clause
// Small operations on texts.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace lockstep {

/// The parts between separators, as std::getline finds them: "a,,b" has three, "a," has one, "" has none.
[[nodiscard]] std::vector<std::string> split(const std::string& text, char separator);

/// Without blanks, tabs and line ends at both ends.
[[nodiscard]] std::string trimmed(std::string_view text);

/// Control characters (but line ends and tabs) and bytes that are not UTF-8 as \x1b: a terminal shows them
/// and does not obey them.
[[nodiscard]] std::string visible(std::string_view text);
/// UTF-8 without control characters.
[[nodiscard]] bool is_plain_text(std::string_view text);

/// "1 run", "2 runs"
[[nodiscard]] std::string plural(std::size_t count, std::string_view noun);

}  // namespace lockstep
