// SPDX-License-Identifier: BSD-3-Clause
// sweep expand: the runs of a sweep, and the time that they will take.
#include <filesystem>
#include <functional>
#include <memory>
#include <string>

#include <fmt/format.h>

#include "core/arguments.hpp"
#include "core/json.hpp"
#include "sweep/commands/expand_report.hpp"
#include "sweep/site.hpp"

namespace lockstep::sweep {
namespace {

struct Options {
  std::string spec;
  std::string scale = "full";
  std::string site = "local";
  std::string results = "results";
  std::size_t limit = 40;
  bool json = false;
};

int expand_command(const Options& options) {
  const Spec spec = read_spec(options.spec, options.scale);
  Expansion expansion = expand_with_notes(spec);
  const std::filesystem::path folder = std::filesystem::path(options.results) / spec.name;
  const Forecast forecast = estimate_times(spec, expansion.points, read_site(options.site), folder);
  if (options.json)
    fmt::print("{}\n", expand_json(expansion, forecast).dump(1));
  else
    fmt::print("{}", expand_report(spec, expansion, forecast, folder, options.limit));
  return 0;
}

}  // namespace

std::function<int()> set_up_expand(Arguments& command) {
  const auto options = std::make_shared<Options>();
  command.option("spec", options->spec, "the sweep's file: docs/sweeps.md").required().value_name("FILE");
  command.option("--scale", options->scale, "full, or a variant of the file").shows_default();
  command.option("--site", options->site, "site of jobs/sites/, or a file: its rate is used for estimates")
      .shows_default();
  command.option("--results", options->results, "folder of results, where complete runs are looked for")
      .shows_default();
  command.option("--limit", options->limit, "lines of the table; 0: all").shows_default();
  command.flag("--json", options->json, "every run as JSON instead");
  return [options] { return expand_command(*options); };
}

}  // namespace lockstep::sweep
