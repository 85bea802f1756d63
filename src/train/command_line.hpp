// SPDX-License-Identifier: BSD-3-Clause
// The command line, modern and old, as a flat JSON object of configuration keys.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "core/json.hpp"
#include "train/launch.hpp"

namespace lockstep::train {

/// What a command line asks for.
struct CommandLine {
  Json given = Json::object();  ///< configuration keys, from --config files and options; later ones win
  bool print_config = false;
  LaunchOptions launch;
  std::optional<std::string> text;  ///< of --help or --version, to be printed instead of training
};

/// Reads `words`, which are the command line without the program's name. `algorithm` is the one that the
/// program always trains with, or "". The old interface's words are read too: -batch_size 64 is --batch-size
/// 64, and -lambda N, a whole number of hundredths, is --lambda N/100. Throws ConfigError.
[[nodiscard]] CommandLine parse_command_line(const std::string& algorithm,
                                             const std::vector<std::string>& words);

}  // namespace lockstep::train
