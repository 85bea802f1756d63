// SPDX-License-Identifier: BSD-3-Clause
// The sweep program's command line, one word a line.
#include "support/fuzz.hpp"
#include "sweep/commands/command_line.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace lockstep;
  fuzz::expect_errors_only(
      [&] { (void)sweep::parse_command_line(fuzz::lines_of(fuzz::text_of(data, size))); });
  return 0;
}
