// SPDX-License-Identifier: BSD-3-Clause
// sweep launch: to come with the launcher.
#include <CLI/CLI.hpp>

#include "core/error.hpp"
#include "sweep/command.hpp"

namespace lockstep::sweep {

std::function<int()> set_up_launch(CLI::App& /*command*/) {
  return []() -> int { throw Error({.what = "sweep launch is not written yet"}); };
}

}  // namespace lockstep::sweep
