// SPDX-License-Identifier: BSD-3-Clause
// Finds the command, and reads its arguments.
#include "sweep/commands/command_line.hpp"

#include <algorithm>
#include <array>
#include <deque>
#include <memory>
#include <span>
#include <string_view>
#include <utility>

#include <fmt/format.h>

#include "core/arguments.hpp"
#include "core/build_info.hpp"
#include "core/error.hpp"
#include "core/names.hpp"

namespace lockstep::sweep {

// Each in sweep/commands/NAME.cpp: describes the command's arguments, and returns what runs after parsing and
// gives the exit status.
using SetUp = std::function<int()>(Arguments& command);
SetUp set_up_expand, set_up_run, set_up_submit, set_up_status;
SetUp set_up_resume, set_up_cancel, set_up_launch, set_up_doctor, set_up_work;

namespace {

struct CommandRow {
  std::string_view name, help;
  SetUp* set_up;
};

constexpr std::array rows = {
    CommandRow{"expand", "show the runs of a sweep, checked, and the time that they will take",
               set_up_expand},
    CommandRow{"run", "make the runs on this machine, or on a cluster that it simulates", set_up_run},
    CommandRow{"submit", "submit the runs to Slurm", set_up_submit},
    CommandRow{"status", "show the state of each run", set_up_status},
    CommandRow{"resume", "make or submit only the runs that are missing or broken", set_up_resume},
    CommandRow{"cancel", "end the jobs of a sweep", set_up_cancel},
    CommandRow{"launch", "start one program on ranks, in the site's way", set_up_launch},
    CommandRow{"doctor", "look what is wrong at a site, before hours are spent", set_up_doctor},
    CommandRow{"work", "the program of a submitted job; not for people", set_up_work},
};
constexpr std::span<const CommandRow> table = rows;

}  // namespace

std::function<int()> parse_command_line(std::vector<std::string> words) {
  Arguments program(
      "sweep", "Sweeps of training runs from one JSON file, on this machine, under Slurm, or simulated.");
  program.version_option(std::string(build_info::version));
  const auto commands = std::make_shared<std::deque<Arguments>>();  // actions refer to them
  std::vector<std::function<int()>> actions;
  for (const CommandRow& row : table) {
    commands->push_back(program.command(row.name, row.help));
    actions.push_back(row.set_up(commands->back()));
  }
  if (!words.empty() && !words[0].starts_with('-')) (void)find_row(table, "command", words[0]);
  // CLI11 would give the words after "--" to the program; no command needs that.
  if (const auto mark = std::ranges::find(words, "--"); mark != words.end()) words.erase(mark);
  if (const auto text = program.parse(std::move(words)))
    return [text = *text] {
      fmt::print("{}", text);
      return 0;
    };
  for (std::size_t i = 0; i < commands->size(); ++i)
    if ((*commands)[i].given()) return [commands, action = actions[i]] { return action(); };
  throw ConfigError({.what = "no command is given", .hint = "sweep --help lists them"});
}

}  // namespace lockstep::sweep
