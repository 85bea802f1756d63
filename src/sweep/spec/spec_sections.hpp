// SPDX-License-Identifier: BSD-3-Clause
// The sections of a sweep's file: which there are, and how a variant's are laid over the file's.
#pragma once

#include <string>
#include <vector>

#include "core/json_fwd.hpp"

namespace lockstep::sweep {

/// Throws ConfigError unless the file's top level, and that of each of its variants, holds known sections of
/// the right kind. What is in them is not looked at, but for the names of variants.
void check_sections(const Json& file);

/// "full" and the names of the variants.
[[nodiscard]] std::vector<std::string> scales_of_file(const Json& file);

/// The file in the variant `scale`, without the section `variants`. Throws ConfigError for an unknown one.
///   fixed:   key by key; what the variant fixes is fixed in every run, so the key goes from wherever the
///   file
///            has it, `include` as well
///   matrix:  key by key; the list takes the place of the file's, or of the setting in fixed or zip
///   others:  as a whole; `seeds` takes the place of `repeats`, and the other way round
///   null:    takes a key, or a section, away
[[nodiscard]] Json merge_variant(const Json& file, const std::string& scale);

}  // namespace lockstep::sweep
