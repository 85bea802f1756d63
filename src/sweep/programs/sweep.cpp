// SPDX-License-Identifier: BSD-3-Clause
// The sweep program: does what the command line says, and reports its error.
#include <cstdio>
#include <exception>

#include <fmt/format.h>

#include "core/error.hpp"
#include "core/text.hpp"
#include "sweep/commands/command_line.hpp"

int main(int argc, char** argv) {
  constexpr int failed = 1, bad_input = 2;
  int status = failed;
  try {
    return lockstep::sweep::parse_command_line({argv + 1, argv + argc})();
  } catch (const lockstep::ConfigError& error) {
    status = bad_input;
    fmt::print(stderr, "error: {}\n", error.what());
  } catch (const std::exception& error) {
    fmt::print(stderr, "error: {}\n", lockstep::visible(error.what()));
  }
  return status;
}
