// SPDX-License-Identifier: BSD-3-Clause
// The program that checks run files and checkpoints, and saves what can be read of damaged ones.
#include <cstdio>
#include <string>
#include <vector>

#include <fmt/format.h>

#include "core/arguments.hpp"
#include "core/build_info.hpp"
#include "core/error.hpp"
#include "record/run_file_repair.hpp"

namespace lockstep::record {
namespace {

constexpr int some_damaged = 1;
constexpr int bad_input = 2;

int check(const std::vector<std::string>& files) {
  int status = 0;
  for (const std::string& file : files) {
    const FileCheck found = check_file(file);
    switch (found.state) {
      case FileCheck::State::good:
        fmt::print("{}: good\n", file);
        break;
      case FileCheck::State::no_checksum:
        fmt::print("{}: no checksum (older version)\n", file);
        break;
      case FileCheck::State::damaged:
        fmt::print("{}: damaged: {}\n", file, found.why);
        status = some_damaged;
        break;
    }
  }
  return status;
}

int repair(const std::string& file) {
  const Repair done = repair_run_file(file);
  fmt::print("{} of {} epochs are saved in {}\n", done.epochs, done.epochs_before, done.to.string());
  if (!done.left_out.empty()) fmt::print("left out: {}\n", done.left_out);
  return 0;
}

int parse_and_run(int argc, char** argv) {
  Arguments program("runfile",
                    "Checks run files and checkpoints, and saves what can be read of damaged run files.");
  program.version_option(std::string(build_info::version));
  std::vector<std::string> files;
  std::string damaged;
  Arguments checks =
      program.command("check", "compare checksums, one line a file; exit status 1 if a file is damaged");
  checks.option("file", files, "run files and checkpoints").required().takes_several().value_name("FILE");
  Arguments repairs = program.command(
      "repair", "write the epochs that can be read to FILE.repaired.h5; the damaged file stays");
  repairs.option("file", damaged, "a damaged run file").required().value_name("FILE");
  if (const auto text = program.parse({argv + 1, argv + argc})) {
    fmt::print("{}", *text);
    return 0;
  }
  return checks.given() ? check(files) : repair(damaged);
}

}  // namespace
}  // namespace lockstep::record

int main(int argc, char** argv) {
  try {
    return lockstep::record::parse_and_run(argc, argv);
  } catch (const std::exception& error) {
    fmt::print(stderr, "error: {}\n", error.what());
    return lockstep::record::bad_input;
  }
}
