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

}  // namespace lockstep
