// SPDX-License-Identifier: BSD-3-Clause
// sweep status: where each run stands, once or as a live table.
#include <algorithm>
#include <cstdio>
#include <memory>
#include <string>

#include <fmt/format.h>
#include <unistd.h>

#include "record/progress.hpp"
#include "sweep/command.hpp"
#include "sweep/commands/view.hpp"

namespace lockstep::sweep {
namespace {

struct Options {
  std::string sweep;
  std::string results = "results";
  bool all = false, json = false, watch = false;
};

constexpr unsigned redraw_s = 2;

bool under_way(const std::vector<RunView>& views) {
  return std::ranges::any_of(views, [](const RunView& v) {
    return v.standing == RunStanding::running || v.standing == RunStanding::waiting;
  });
}

int status(const Options& options) {
  const Plan plan = load_plan(find_folder(options.sweep, options.results));
  for (;;) {
    const std::vector<RunView> views = view_of(plan);
    if (options.json) {
      fmt::print("{}\n", json_of(views).dump(1));
    } else {
      if (options.watch && record::is_terminal(stdout)) fmt::print("\033[H\033[2J");
      fmt::print("{}", text_of(plan, views, options.all));
    }
    std::fflush(stdout);
    if (!options.watch || !under_way(views)) return 0;
    sleep(redraw_s);
  }
}

}  // namespace

std::function<int()> set_up_status(Arguments& command) {
  const auto options = std::make_shared<Options>();
  command.option("sweep", options->sweep, "the sweep's folder, its name, or an experiment's").required();
  command.option("--results", options->results, "folder of results, for a name").shows_default();
  command.flag("--all", options->all, "also the runs that are complete, waiting or missing");
  command.flag("--watch", options->watch, "again every two seconds, until nothing is under way");
  command.flag("--json", options->json, "for programs");
  return [options] { return status(*options); };
}

}  // namespace lockstep::sweep
