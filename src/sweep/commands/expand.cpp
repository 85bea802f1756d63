// SPDX-License-Identifier: BSD-3-Clause
// sweep expand: the runs of a sweep, and the time that they will take, as text or as JSON.
#include <algorithm>
#include <array>
#include <filesystem>
#include <functional>
#include <memory>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "core/arguments.hpp"
#include "core/json.hpp"
#include "core/names.hpp"
#include "core/options.hpp"
#include "core/text.hpp"
#include "sweep/commands/text_table.hpp"
#include "sweep/estimate.hpp"
#include "sweep/spec/duration.hpp"

namespace lockstep::sweep {
namespace {

struct Options {
  std::string spec;
  std::string scale = "full";
  std::string site = "local";
  std::string results = "results";
  std::size_t limit = 40;
  bool json = false;
  bool folder = false;
};

constexpr std::array<std::string_view, 4> source_names = {"work", "measured", "given", "unknown"};

// The most important settings, in this order; other keys follow in the file's order.
constexpr std::array<std::string_view, 5> first_keys = {"algorithm", "dataset", "model", "ranks", "nodes"};

// The fixed settings; a table of those that vary, with a line for all runs that differ in the seed alone; how
// many runs, on how many ranks, for how long; notes.
class Report {
 public:
  Report(const Spec& spec, const Expansion& expansion, const Forecast& forecast, const Site& site)
      : spec_(spec),
        expansion_(expansion),
        forecast_(forecast),
        site_(site),
        rows_(group_repeats(expansion.points)) {
    sort_keys();
  }

  std::string text(const std::filesystem::path& folder, std::size_t limit) {
    std::string out = spec_.name + (spec_.title.empty() ? "" : ": " + spec_.title) + "\n";
    if (site_.simulation)
      out += wrapped("simulated", {fmt::format("on {}, {}", site_.simulation->cluster, site_.title),
                                   fmt::format("{} at once here", plural(site_.runs_at_once, "run"))});
    out += wrapped("fixed", fixed_);
    out += wrapped("seeds", seeds());
    if (!varying_.empty()) out += "\n" + table(limit);
    out += "\n" + totals(folder);
    const std::size_t most_ranks = std::ranges::max_element(expansion_.points, {}, &Point::ranks)->ranks;
    if (!site_.simulation && forecast_.cores != 0 && most_ranks > forecast_.cores)
      out += wrapped("note",
                     {fmt::format("up to {} ranks share the {} here: their times say nothing about scaling",
                                  most_ranks, plural(forecast_.cores, "core"))});
    for (const std::string& note : expansion_.notes) out += wrapped("note", {note});
    return out;
  }

 private:
  static std::string value_of(const Point& point, const std::string& key) {
    if (key == "ranks") return std::to_string(point.ranks);
    if (key == "nodes") return point.nodes == 0 ? "-" : std::to_string(point.nodes);
    const auto at = point.settings.find(key);
    if (at == point.settings.end()) return "-";
    return at->is_object() ? "(described)" : typed(*at);
  }

  static bool is_known(const Point& point) { return point.estimate_source != EstimateSource::unknown; }

  // Finds the keys that vary, and the fixed ones.
  void sort_keys() {
    std::vector<std::string> keys(first_keys.begin(), first_keys.end());
    std::set<std::string> known(keys.begin(), keys.end());
    for (const std::vector<Point>& row : rows_)
      for (const auto& [key, value] : row[0].settings.items())
        if (key != "seed" && key != "experiment" && known.insert(key).second) keys.push_back(key);
    for (const std::string& key : keys) {
      const std::string value = value_of(rows_[0][0], key);
      const bool varies = std::ranges::any_of(
          rows_, [&](const std::vector<Point>& row) { return value_of(row[0], key) != value; });
      if (varies)
        varying_.push_back(key);
      else if (value != "-")
        fixed_.push_back(key + " " + value);
    }
  }

  std::vector<std::string> seeds() const {
    std::vector<std::string> values;
    constexpr std::size_t most = 12;
    for (std::size_t i = 0; i < std::min(most, spec_.seeds.size()); ++i)
      values.push_back(std::to_string(spec_.seeds[i]));
    if (spec_.seeds.size() > most) values.push_back(fmt::format("... ({} in all)", spec_.seeds.size()));
    if (!spec_.until.metric.empty())
      values.push_back(fmt::format("and more, up to {}, until {} is known to {:g}%", spec_.until.at_most,
                                   spec_.until.metric, 100.0 * spec_.until.ci));
    return values;
  }

  std::string table(std::size_t limit) const {
    const bool any_complete = !forecast_.complete.empty();
    std::vector<std::string> head = varying_;
    head.emplace_back("runs");
    if (any_complete) head.emplace_back("complete");
    head.insert(head.end(), {"time each", ""});
    std::vector<std::vector<std::string>> lines = {head};
    const std::size_t shown = limit == 0 ? rows_.size() : std::min(limit, rows_.size());
    for (const std::vector<Point>& row : std::span(rows_).first(shown)) {
      const Point& first = row[0];
      std::vector<std::string> cells;
      for (const std::string& key : varying_) cells.push_back(value_of(first, key));
      cells.push_back(std::to_string(row.size()));
      const auto complete = std::ranges::count_if(
          row, [&](const Point& point) { return forecast_.complete.contains(point.run_id); });
      if (any_complete) cells.push_back(complete == 0 ? "-" : std::to_string(complete));
      cells.push_back(is_known(first) ? readable_time(first.estimate_s) : "-");
      cells.emplace_back(first.estimate_source == EstimateSource::measured ? "measured" : "");
      lines.push_back(std::move(cells));
    }
    std::string text = text_table(lines);
    if (shown < rows_.size())
      text += fmt::format("... and {} more lines (--limit 0 shows all)\n", rows_.size() - shown);
    return text;
  }

  using Shapes = std::set<std::pair<std::size_t, std::size_t>>;  // ranks and nodes

  static std::string shape_names(const Shapes& shapes) {
    std::vector<std::string> names;
    for (const auto& [ranks, nodes] : shapes)
      names.push_back(nodes == 0 ? std::to_string(ranks)
                                 : fmt::format("{} on {}", ranks, plural(nodes, "node")));
    const std::size_t all = names.size();
    constexpr std::size_t most = 8;
    if (all > most) names.resize(most);
    return "ranks " + join(names) + (all > most ? ", ..." : "");
  }

  std::string totals(const std::filesystem::path& folder) const {
    double all_s = 0.0;
    double core_s = 0.0;
    double open_s = 0.0;
    Shapes shapes;
    std::array<std::size_t, source_names.size()> sources{};
    bool is_open_known = true;
    const Point* longest = &expansion_.points[0];
    for (const Point& point : expansion_.points) {
      all_s += point.estimate_s;
      core_s += point.estimate_s * static_cast<double>(forecast_.cores_of(point));
      if (!forecast_.complete.contains(point.run_id)) {
        open_s += point.estimate_s;
        is_open_known = is_open_known && is_known(point);
      }
      shapes.emplace(point.ranks, point.nodes);
      ++sources[static_cast<std::size_t>(point.estimate_source)];
      if (point.estimate_s > longest->estimate_s) longest = &point;
    }
    const std::size_t runs = expansion_.points.size();
    const std::size_t unknown = sources[static_cast<std::size_t>(EstimateSource::unknown)];
    const std::size_t repeats = runs / rows_.size();
    std::string out =
        wrapped("runs", {fmt::format("{}: {}{} on {} ({})", runs, plural(rows_.size(), "setting"),
                                     repeats > 1 ? fmt::format(" x {} seeds", repeats) : "",
                                     plural(shapes.size(), "shape"), shape_names(shapes))});
    if (unknown == runs)
      out += wrapped("time", {"not known before the first runs are complete"});
    else
      out += wrapped("time",
                     {fmt::format("{}{} one after another",
                                  unknown == 0 ? "" : fmt::format("{} of {} runs: ", runs - unknown, runs),
                                  readable_time(all_s)),
                      core_s < 3600.0 ? fmt::format("{:.2g} core-minutes", core_s / 60.0)
                                      : fmt::format("{:.1f} core-hours", core_s / 3600.0),
                      fmt::format("longest run {}", readable_time(longest->estimate_s))});
    out += wrapped("estimates", origins(sources));
    const std::size_t done = forecast_.complete.size();
    const std::string where = visible(folder.string());
    out += wrapped("complete", {done == 0      ? fmt::format("none yet in {}", where)
                                : done == runs ? fmt::format("all in {}", where)
                                               : fmt::format("{} of {} in {}; {} to go", done, runs, where,
                                                             is_open_known ? readable_time(open_s)
                                                                           : std::to_string(runs - done))});
    return out;
  }

  // How many estimates come from where.
  std::vector<std::string> origins(const std::array<std::size_t, source_names.size()>& sources) const {
    const std::array<std::string, source_names.size()> names = {
        fmt::format("from their matrix products at {:g} GFLOP/s a core", forecast_.rate_gflops),
        "from complete runs", "given as \"time\"",
        "not known: a simulation's time is learned from complete runs"};
    std::vector<std::string> found;
    for (std::size_t i = 0; i < sources.size(); ++i)
      if (sources[i] > 0) found.push_back(fmt::format("{} {}", sources[i], names[i]));
    return found;
  }

  const Spec& spec_;
  const Expansion& expansion_;
  const Forecast& forecast_;
  const Site& site_;
  std::vector<std::vector<Point>> rows_;  // a line of the table each
  std::vector<std::string> varying_;      // keys
  std::vector<std::string> fixed_;        // keys and values
};

// An array with an object for each run, in their order.
Json json_of(const Expansion& expansion, const Forecast& forecast) {
  Json runs = Json::array();
  for (const Point& point : expansion.points)
    runs.push_back(
        {{"run_id", point.run_id},
         {"ranks", point.ranks},
         {"nodes", point.nodes},
         {"cluster", point.cluster},
         {"repeat", point.repeat},
         {"settings", point.settings},
         {"estimate_s", point.estimate_source == EstimateSource::unknown ? Json() : Json(point.estimate_s)},
         {"estimate_source", source_names[static_cast<std::size_t>(point.estimate_source)]},
         {"complete", forecast.complete.contains(point.run_id)}});
  return runs;
}

int expand_command(const Options& options) {
  Spec spec = read_spec(options.spec, options.scale);
  const Site site = read_site(options.site);
  if (site.simulation) simulate_on(spec, *site.simulation);
  const std::filesystem::path folder = std::filesystem::path(options.results) / spec.name;
  if (options.folder) {
    fmt::print("{}\n", folder.string());
    return 0;
  }
  Expansion expansion = expand_with_notes(spec);
  const Forecast forecast = estimate_times(spec, expansion.points, site, folder);
  if (options.json)
    fmt::print("{}\n", json_of(expansion, forecast).dump(1));
  else
    fmt::print("{}", Report(spec, expansion, forecast, site).text(folder, options.limit));
  return 0;
}

}  // namespace

std::function<int()> set_up_expand(Arguments& command) {
  const auto options = std::make_shared<Options>();
  command.option("spec", options->spec, "the sweep's file: docs/sweeps.md").required().value_name("FILE");
  command.option("--scale", options->scale, "full, or a variant of the file").shows_default();
  command.option("--site", options->site, "site of jobs/sites/, a file, or sim:CLUSTER: estimates are for it")
      .shows_default();
  command.option("--results", options->results, "folder of results, where complete runs are looked for")
      .shows_default()
      .not_empty();
  command.option("--limit", options->limit, "lines of the table; 0: all").shows_default();
  command.flag("--json", options->json, "every run as JSON instead");
  command.flag("--folder", options->folder, "only where the results will be");
  return [options] { return expand_command(*options); };
}

}  // namespace lockstep::sweep
