// SPDX-License-Identifier: BSD-3-Clause
// sweep expand: the runs of a sweep.
#include <memory>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include "sweep/command.hpp"
#include "sweep/spec.hpp"

namespace lockstep::sweep {

std::function<int()> set_up_expand(CLI::App& command) {
  struct Options {
    std::string path, scale = "full";
  };
  const auto options = std::make_shared<Options>();
  command.add_option("spec", options->path, "the sweep's file")->required();
  command.add_option("--scale", options->scale, "full, or a variant of the file");
  return [options] {
    for (const Point& point : expand(read_spec(options->path, options->scale)))
      fmt::print("{} {} {}\n", point.run_id, point.ranks, point.settings.dump());
    return 0;
  };
}

}  // namespace lockstep::sweep
