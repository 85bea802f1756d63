// SPDX-License-Identifier: BSD-3-Clause
// sweep status: the state of each run, once or as a live table.
#include <cstdio>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <unistd.h>

#include "core/json.hpp"
#include "record/progress.hpp"
#include "sweep/commands/view.hpp"

namespace lockstep::sweep {
namespace {

struct Options {
  FolderOptions folder;
  bool all = false, json = false, watch = false;
};

constexpr unsigned redraw_s = 2;

int status(const Options& options) {
  const Plan plan = load_plan(options.folder.find());
  for (;;) {
    const View view = view_of(plan);
    if (options.json) {
      fmt::print("{}\n", json_of(view).dump(1));
    } else {
      if (options.watch && record::is_terminal(stdout)) fmt::print("\033[H\033[2J");
      fmt::print("{}", text_of(plan, view, options.all));
    }
    std::fflush(stdout);
    if (!view.unknown.empty())
      fmt::print(stderr, "note: this is what the files say; nothing is known of the jobs: {}\n",
                 view.unknown);
    if (!options.watch || !any_under_way(view)) return 0;
    sleep(redraw_s);
  }
}

}  // namespace

std::function<int()> set_up_status(Arguments& command) {
  const auto options = std::make_shared<Options>();
  options->folder.add_to(command);
  command.flag("--all", options->all, "also the runs that are complete, waiting or missing");
  command.flag("--watch", options->watch, "again every two seconds, until nothing is under way");
  command.flag("--json", options->json, "for programs");
  return [options] { return status(*options); };
}

}  // namespace lockstep::sweep
