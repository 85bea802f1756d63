// SPDX-License-Identifier: BSD-3-Clause
// The command line, modern and old, as a flat JSON object of configuration keys.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "core/json.hpp"
#include "train/launch_options.hpp"

namespace lockstep::train {

/// What differs between the programs of the family.
struct Program {
  std::string algorithm;  ///< fixed by the program; "" when --algorithm chooses
};

/// What a command line asks for.
struct CommandLine {
  Json given = Json::object();  ///< configuration keys, from --config files and options, later ones winning
  bool print_config = false;
  LaunchOptions launch;
  std::optional<std::string> text;  ///< of --help or --version: print it and do nothing else
};

/// Throws ConfigError. `words` without the program's name.
[[nodiscard]] CommandLine parse_command_line(const Program& program, const std::vector<std::string>& words);

/// The old interface's words in today's spelling: -batch_size 64 becomes --batch-size 64, and -lambda N, a
/// whole number of hundredths, --lambda N/100. Everything else is left as it is.
[[nodiscard]] std::vector<std::string> modern_spelling(const std::vector<std::string>& arguments);

}  // namespace lockstep::train
