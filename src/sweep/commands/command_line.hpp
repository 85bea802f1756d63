// SPDX-License-Identifier: BSD-3-Clause
// The command line of the sweep program.
#pragma once

#include <functional>
#include <string>
#include <vector>

namespace lockstep::sweep {

/// What the words after the program's name ask for: it returns the exit status. Throws ConfigError.
[[nodiscard]] std::function<int()> parse_command_line(std::vector<std::string> words);

}  // namespace lockstep::sweep
