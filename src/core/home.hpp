// SPDX-License-Identifier: BSD-3-Clause
// Where Lockstep's own files are.
#pragma once

#include <filesystem>
#include <string>

namespace lockstep {

/// The folder that holds src, jobs and data: LOCKSTEP_HOME, or the one above this program that has
/// jobs/sites. An installed program may have none: then find_home() is "", and home() throws Error.
[[nodiscard]] std::filesystem::path find_home();
[[nodiscard]] std::filesystem::path home();

/// The path of another of Lockstep's programs, beside this one. Throws Error if it is not there.
[[nodiscard]] std::filesystem::path sibling_program(const std::string& name);

/// A path that ends in .json as it is, or NAME.json in home() / folder. Throws ConfigError, which names the
/// `kind` and all names, if there is no such file.
[[nodiscard]] std::filesystem::path find_json_file(const std::string& kind, const std::string& name_or_path,
                                                   const std::filesystem::path& folder);

}  // namespace lockstep
