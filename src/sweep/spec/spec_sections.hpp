// SPDX-License-Identifier: BSD-3-Clause
// The sections of a sweep's file, and how a variant's sections replace them.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "core/json_fwd.hpp"

namespace lockstep::sweep {

/// Throws ConfigError unless the top level of the file, and of each of its variants, holds known sections of
/// the right kind. Their contents are not checked, except for the names of variants.
void check_sections(const Json& file);

/// "full" and the names of the variants.
[[nodiscard]] std::vector<std::string> scales_of_file(const Json& file);

/// The file in the variant `scale`, without the section `variants`. Throws ConfigError for an unknown one.
///   fixed:   key by key; the key's value in the variant holds for every run, so the key is taken out of all
///            other sections, `include` as well
///   matrix:  key by key; the list replaces the file's list, or the setting in fixed or zip
///   others:  as a whole; `seeds` replaces `repeats`, and the other way round
///   null:    removes a key or a section
[[nodiscard]] Json merge_variant(const Json& file, const std::string& scale);

/// Throws ConfigError, naming `what`, unless the name is a letter or digit followed by letters, digits and
/// . _ - , at most 100 in all: good as a folder, as a word of a shell, and as a job's name.
void check_folder_name(std::string_view what, const std::string& name);

}  // namespace lockstep::sweep
