// SPDX-License-Identifier: BSD-3-Clause
// A calibration as a cluster's file.
#include <algorithm>
#include <cstdlib>
#include <string>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "core/json.hpp"
#include "core/json_text.hpp"
#include "core/names.hpp"
#include "simulate/calibration.hpp"

namespace lockstep::simulate {
namespace {

// Four digits: more were not measured.
double rounded(double value) { return std::strtod(fmt::format("{:.4g}", value).c_str(), nullptr); }

Json fit_of(const MessageSeries& series, const Layout& layout) {
  Json messages = Json::array();
  for (std::size_t i = 0; i < series.times.size(); ++i) {
    const MessageTime& time = series.times[i];
    messages.push_back({{"bytes", time.bytes},
                        {"median_s", rounded(time.seconds.median)},
                        {"quartiles_s", {rounded(time.seconds.low), rounded(time.seconds.high)}},
                        {"line_s", rounded(series.line.seconds(time.bytes))},
                        {"both_ways_s", rounded(series.both_ways_s[i])}});
  }
  return {{"ranks", {series.pair.first, series.pair.second}},
          {"hosts", {layout.hosts[series.pair.first], layout.hosts[series.pair.second]}},
          {"method", "least sum of relative errors of half round trips; each size counts alike"},
          {"median_error", rounded(series.errors.median)},
          {"largest_error", rounded(series.errors.largest)},
          {"largest_error_at_bytes", series.errors.largest_at_bytes},
          {"messages", messages}};
}

Json at_once_of(const std::vector<AtOnce>& all) {
  Json rows = Json::array();
  for (const AtOnce& row : all)
    rows.push_back({{"what", row.what},
                    {"pairs", row.pairs},
                    {"bytes", at_once_bytes},
                    {"times_as_long", rounded(row.times_as_long)},
                    {"slowest_pair", rounded(row.slowest)},
                    {"simulated", row.simulated}});
  return rows;
}

Json streams_of(const Calibration& found) {
  Json rows = Json::object();
  for (const StreamRates& row : found.streams)
    rows[std::string(row.name)] = {{"one_rank_bytes_per_s", rounded(row.one_rank)},
                                   {"node_bytes_per_s", rounded(row.all_ranks)},
                                   {"ranks_of_node", found.layout.nodes.front().size()}};
  return rows;
}

Json noise_values(const Noise& noise) {
  Json speeds = Json::array();
  for (const double speed : noise.speeds) speeds.push_back(rounded(speed));
  return {{"quanta", noise.quanta},
          {"quantum_s", rounded(noise.quantum_s)},
          {"cv", rounded(noise.cv)},
          {"p99_over_median", rounded(noise.p99)},
          {"largest_over_median", rounded(noise.largest)},
          {"mean_delay", rounded(noise.mean_delay)},
          {"delay_cv", rounded(noise.delay_cv)},
          {"speeds_of_ranks", speeds}};
}

// The noise that a simulated core is to have: drawn as often as it was measured, since whoever waits for the
// slowest rank at every step meets its peaks, not its means over longer times.
Json trouble_of(const Noise& noise) {
  return {{"noise",
           {{"distribution", "lognormal"},
            {"mean", rounded(noise.mean_delay)},
            {"cv", rounded(noise.delay_cv)},
            {"period_s", rounded(noise.quantum_s)}}}};
}

void put_line(Json& values, const std::string& prefix, const Line& line) {
  values[prefix + "alpha_s"] = rounded(line.alpha_s);
  values[prefix + "beta_s_per_byte"] = rounded(line.beta_s_per_byte);
}

// On one line if `indent` leaves room for it there, else one member a line.
std::string lines_of(const Json& value, std::size_t indent) {
  if (!value.is_structured() || value.empty()) return to_text(value);
  constexpr std::size_t longest = 160;
  std::vector<std::string> members;
  for (const auto& [key, member] : value.items())
    members.push_back((value.is_object() ? to_text(key) + ": " : "") + lines_of(member, indent + 1));
  const auto [open, close] = value.is_object() ? std::pair("{", "}") : std::pair("[", "]");
  const std::string line = open + join(members) + close;
  if (indent + line.size() <= longest && line.find('\n') == std::string::npos) return line;
  const std::string next = "\n" + std::string(indent + 1, ' ');
  return open + next + join(members, "," + next) + "\n" + std::string(indent, ' ') + close;
}

}  // namespace

std::string file_text(const Json& values) { return lines_of(values, 0) + "\n"; }

Json cluster_of(const Calibration& found, const std::string& name, const std::string& source,
                std::size_t cores_per_node) {
  Json values = {{"name", name},
                 {"source", source},
                 {"cores_per_node", cores_per_node == 0 ? found.layout.cores : cores_per_node}};
  put_line(values, "", found.between_nodes ? found.between_nodes->line : found.within_node->line);
  if (found.within_node) put_line(values, "memory_", found.within_node->line);
  values["core_speed"] = 1;
  if (found.noise.mean_delay > 0.0) values["trouble"] = trouble_of(found.noise);
  Json fit = {{"notes", notes_on(found)}};
  if (found.between_nodes) fit["between_nodes"] = fit_of(*found.between_nodes, found.layout);
  if (found.within_node) fit["within_node"] = fit_of(*found.within_node, found.layout);
  fit["at_once"] = at_once_of(found.at_once);
  fit["streams"] = streams_of(found);
  fit["noise"] = noise_values(found.noise);
  values["fit"] = fit;
  return values;
}

}  // namespace lockstep::simulate
