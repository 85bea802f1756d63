// SPDX-License-Identifier: BSD-3-Clause
// Train's command line, one word a line; the old interface's spellings are among them.
#include "support/fuzz.hpp"
#include "train/command_line.hpp"
#include "train/run_config.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace lockstep;
  fuzz::expect_errors_only([&] {
    const train::CommandLine line = train::parse_command_line("", fuzz::lines_of(fuzz::text_of(data, size)));
    if (!line.text) (void)train::resolve_config(line.given);
  });
  return 0;
}
