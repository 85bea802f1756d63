// SPDX-License-Identifier: BSD-3-Clause
// The one reader of JSON that people or files give. Its errors say where and why.
#pragma once

#include <cstddef>
#include <filesystem>
#include <string>
#include <string_view>

#include "core/json_fwd.hpp"

namespace lockstep {

/// Parses JSON with // and /* */ comments. Throws ConfigError for a text that is not JSON (line and column),
/// and for what the parser alone would take or die of: a key that an object has twice, a number beyond the
/// range of doubles (both with the key), and nesting deeper than any input needs.
[[nodiscard]] Json parse_json(std::string_view text);

/// Parses a file; the error names it, too.
[[nodiscard]] Json read_json_file(const std::filesystem::path& path);

/// The whole number, at least 0, that a file should hold there. Throws Error: nlohmann_json itself would make
/// one of any number, even of 1e308.
[[nodiscard]] std::size_t count_of(const Json& value);

/// JSON text of a value. Bytes that are not UTF-8 become U+FFFD: for messages and records.
[[nodiscard]] std::string to_text(const Json& value);

}  // namespace lockstep
