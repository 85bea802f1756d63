// SPDX-License-Identifier: BSD-3-Clause
// What is kept from one run to the next because it costs time to find out again: small JSON files.
#pragma once

#include <filesystem>
#include <string>

#include "core/json_fwd.hpp"

namespace lockstep {

/// $LOCKSTEP_CACHE_DIR, else $XDG_CACHE_HOME/lockstep, else ~/.cache/lockstep; empty where none can be named.
[[nodiscard]] std::filesystem::path cache_folder();

/// The content of a file; null when it is absent, unreadable or torn.
[[nodiscard]] Json read_cache(const std::filesystem::path& path);

/// Replaces the file as a whole. A folder that cannot be written, or no path, is no error, since all can be
/// found out again.
void write_cache(const std::filesystem::path& path, const Json& content);

}  // namespace lockstep
