// SPDX-License-Identifier: BSD-3-Clause
// JSON as people write it: with comments, and errors that say where.
#pragma once

#include <string>

#include "core/json_fwd.hpp"

namespace lockstep::sweep {

/// Parses JSON with // and /* */ comments. Throws ConfigError with line and column for a text that is not
/// JSON, and for a key that an object has twice (the parser alone would silently keep the last one).
[[nodiscard]] Json parse_json(const std::string& text);

}  // namespace lockstep::sweep
