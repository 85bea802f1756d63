// SPDX-License-Identifier: BSD-3-Clause
// Finds the command, runs it, reports its error.
#include "sweep/command.hpp"

#include <algorithm>
#include <array>
#include <cstdio>
#include <string>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "core/build_info.hpp"
#include "core/error.hpp"
#include "core/names.hpp"

namespace lockstep::sweep {

#define COMMAND(name, help) std::function<int()> set_up_##name(CLI::App& command);
#include "sweep/commands.def"
#undef COMMAND

namespace {

constexpr std::array table = {
#define COMMAND(name, help) CommandRow{#name, help, set_up_##name},
#include "sweep/commands.def"
#undef COMMAND
};

constexpr int failed = 1;
constexpr int bad_input = 2;

int parse_and_run(int argc, char** argv) {
  CLI::App app("Sweeps of training runs from one JSON file, on this machine or under Slurm.");
  app.name("sweep");
  app.set_version_flag("--version", std::string(build_info::version));
  app.require_subcommand(1);
  std::vector<std::pair<CLI::App*, std::function<int()>>> commands;
  for (const CommandRow& row : command_table()) {
    CLI::App* command = app.add_subcommand(std::string(row.name), std::string(row.help));
    commands.emplace_back(command, row.set_up(*command));
  }
  if (argc > 1 && argv[1][0] != '-') (void)find_row(command_table(), "command", argv[1]);
  std::vector<std::string> words(argv + 1, argv + argc);
  // CLI11 would take what follows "--" for the frame's words; no command's own words need it.
  if (const auto mark = std::ranges::find(words, "--"); mark != words.end()) words.erase(mark);
  std::ranges::reverse(words);
  try {
    app.parse(std::move(words));
  } catch (const CLI::Success& text) {  // --help and --version
    return app.exit(text);
  } catch (const CLI::ParseError& failure) {
    throw ConfigError({.what = failure.what(), .hint = "sweep COMMAND --help lists what it takes"});
  }
  for (const auto& [command, action] : commands)
    if (command->parsed()) return action();
  return failed;
}

}  // namespace

std::span<const CommandRow> command_table() { return table; }

int run_sweep_program(int argc, char** argv) {
  try {
    return parse_and_run(argc, argv);
  } catch (const ConfigError& error) {
    fmt::print(stderr, "error: {}\n", error.what());
    return bad_input;
  } catch (const std::exception& error) {
    fmt::print(stderr, "error: {}\n", error.what());
    return failed;
  }
}

}  // namespace lockstep::sweep
