// SPDX-License-Identifier: BSD-3-Clause
// The commands of the sweep program: one file and one row each.
#pragma once

#include <functional>
#include <span>
#include <string_view>

#include "core/arguments.hpp"

namespace lockstep::sweep {

/// Describes a command's arguments; what it returns runs after parsing and gives the exit status.
using SetUp = std::function<int()> (*)(Arguments& command);

struct CommandRow {
  std::string_view name;
  std::string_view help;
  SetUp set_up;
};

[[nodiscard]] std::span<const CommandRow> command_table();

/// The body of main: 0 done, 1 failed, 2 bad input, or what the command returns.
int run_sweep_program(int argc, char** argv);

}  // namespace lockstep::sweep
