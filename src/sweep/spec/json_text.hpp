// SPDX-License-Identifier: BSD-3-Clause
// JSON that people write: comments, and errors that say where.
#pragma once

#include <string>

#include "core/json_fwd.hpp"

namespace lockstep::sweep {

/// Parses JSON with // and /* */ comments. Throws ConfigError with line and column for what is no JSON, and
/// for a key that an object has twice (JSON keeps the last one silently).
[[nodiscard]] Json parse_json(const std::string& text);

}  // namespace lockstep::sweep
