// SPDX-License-Identifier: BSD-3-Clause
// Names that become folders.
#pragma once

#include <string>
#include <string_view>

namespace lockstep::sweep {

/// Throws ConfigError, naming `what`, unless the name is a letter or digit followed by letters, digits and
/// . _ - , at most 100 of them: good as a folder, as a word of a shell, and as a job's name.
void check_folder_name(std::string_view what, const std::string& name);

}  // namespace lockstep::sweep
