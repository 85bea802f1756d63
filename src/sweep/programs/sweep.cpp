// SPDX-License-Identifier: BSD-3-Clause
// The sweep program: finds the command, runs it, reports its error.
#include <algorithm>
#include <array>
#include <cstdio>
#include <deque>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "core/arguments.hpp"
#include "core/build_info.hpp"
#include "core/error.hpp"
#include "core/names.hpp"

namespace lockstep::sweep {

#define COMMAND(name, help) std::function<int()> set_up_##name(Arguments& command);
#include "sweep/commands.def"
#undef COMMAND

namespace {

struct CommandRow {
  std::string_view name, help;
  std::function<int()> (*set_up)(Arguments& command);
};

constexpr std::array table = {
#define COMMAND(name, help) CommandRow{#name, help, set_up_##name},
#include "sweep/commands.def"
#undef COMMAND
};

constexpr int failed = 1;
constexpr int bad_input = 2;

int parse_and_run(int argc, char** argv) {
  Arguments program("sweep", "Sweeps of training runs from one JSON file, on this machine or under Slurm.");
  program.version_option(std::string(build_info::version));
  std::deque<Arguments> commands;  // actions refer to them
  std::vector<std::function<int()>> actions;
  for (const CommandRow& row : table) {
    commands.push_back(program.command(row.name, row.help));
    actions.push_back(row.set_up(commands.back()));
  }
  if (argc > 1 && argv[1][0] != '-') (void)find_row(std::span<const CommandRow>(table), "command", argv[1]);
  std::vector<std::string> words(argv + 1, argv + argc);
  // CLI11 would give the words after "--" to the program; no command needs that.
  if (const auto mark = std::ranges::find(words, "--"); mark != words.end()) words.erase(mark);
  if (const auto text = program.parse(std::move(words))) {
    fmt::print("{}", *text);
    return 0;
  }
  for (std::size_t i = 0; i < commands.size(); ++i)
    if (commands[i].given()) return actions[i]();
  return failed;
}

}  // namespace
}  // namespace lockstep::sweep

int main(int argc, char** argv) {
  int status = lockstep::sweep::failed;
  try {
    return lockstep::sweep::parse_and_run(argc, argv);
  } catch (const lockstep::ConfigError& error) {
    status = lockstep::sweep::bad_input;
    fmt::print(stderr, "error: {}\n", error.what());
  } catch (const std::exception& error) {
    fmt::print(stderr, "error: {}\n", error.what());
  }
  return status;
}
