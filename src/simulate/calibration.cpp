// SPDX-License-Identifier: BSD-3-Clause
// Who sends to whom, in which order things are measured, and what is to be said about them.
#include "simulate/calibration.hpp"

#include <algorithm>
#include <cstdio>
#include <numeric>

#include <fmt/format.h>

#include "core/text.hpp"

namespace lockstep::simulate {
namespace {

// Each size counts alike in the fit, so there are more where MPI libraries change from one way to another.
std::vector<std::size_t> message_bytes() {
  constexpr std::size_t most = std::size_t{8} << 20, dense_from = 1024;
  std::vector<std::size_t> sizes{0};
  for (std::size_t bytes = sizeof(float); bytes <= most; bytes *= bytes < dense_from ? 4 : 2)
    sizes.push_back(bytes);
  return sizes;
}

/// Which ranks are measured.
struct Pairings {
  std::vector<Pair> within_node, between_nodes;  // one pair or none
  std::vector<Pair> all_of_a_node, all_nodes, two_whole_nodes;
};

Pairings pairings_of(const Layout& layout) {
  Pairings found;
  const auto fullest = std::ranges::max_element(layout.nodes, {}, &std::vector<std::size_t>::size);
  for (std::size_t i = 0; i + 1 < fullest->size(); i += 2)
    found.all_of_a_node.push_back({(*fullest)[i], (*fullest)[i + 1]});
  if (!found.all_of_a_node.empty()) found.within_node = {found.all_of_a_node.front()};
  if (layout.nodes.size() < 2) return found;
  for (std::size_t i = 0; i + 1 < layout.nodes.size(); i += 2)
    found.all_nodes.push_back({layout.nodes[i].front(), layout.nodes[i + 1].front()});
  found.between_nodes = {found.all_nodes.front()};
  for (std::size_t i = 0; i < std::min(layout.nodes[0].size(), layout.nodes[1].size()); ++i)
    found.two_whole_nodes.push_back({layout.nodes[0][i], layout.nodes[1][i]});
  return found;
}

class Calibrator {
 public:
  Calibrator(const comm::Communicator& ranks, double seconds)
      : ranks_(ranks), seconds_(seconds), found_{.layout = layout_of(ranks)} {}

  Calibration run() {
    const Pairings pairs = pairings_of(found_.layout);
    if (!pairs.within_node.empty()) {
      say("messages within a node");
      found_.within_node = series(pairs.within_node);
    }
    if (!pairs.between_nodes.empty()) {
      say("messages between two nodes");
      found_.between_nodes = series(pairs.between_nodes);
    }
    at_once("pairs of ranks of one node", 1.0, found_.within_node, pairs.all_of_a_node);
    at_once("pairs of nodes, one rank of each", 1.0, found_.between_nodes, pairs.all_nodes);
    at_once("all ranks of two nodes", static_cast<double>(pairs.two_whole_nodes.size()), found_.between_nodes,
            pairs.two_whole_nodes);
    say("memory: one rank, and all at once");
    for (const Stream& stream : streams()) found_.streams.push_back(rates(stream));
    say("the same work again and again, on all ranks at once");
    constexpr double noise_share = 20.0;  // thousands of quanta where a size takes a fifth of a second
    const auto quanta = time_quanta(ranks_, noise_share * seconds_);
    if (ranks_.is_root()) found_.noise = noise_of(quanta);
    return found_;
  }

 private:
  void say(const char* what) const {
    if (!ranks_.is_root()) return;
    fmt::print("measuring {} ...\n", what);
    std::fflush(stdout);
  }

  MessageSeries series(const std::vector<Pair>& pair) const {
    MessageSeries found{.pair = pair.front()};
    for (const std::size_t bytes : message_bytes()) {
      found.times.push_back({bytes, time_messages(ranks_, pair, bytes, Way::ping_pong, seconds_).front()});
      found.both_ways_s.push_back(
          time_messages(ranks_, pair, bytes, Way::both_ways, seconds_).front().median);
    }
    if (!ranks_.is_root()) return found;
    found.line = fit_line(found.times);
    found.errors = errors_of(found.line, found.times);
    return found;
  }

  void at_once(const char* what, double simulated, const std::optional<MessageSeries>& alone,
               const std::vector<Pair>& pairs) {
    if (!alone || pairs.size() < 2) return;
    say(what);
    const double alone_s =
        std::ranges::find(alone->times, at_once_bytes, &MessageTime::bytes)->seconds.median;
    std::vector<double> ratios;
    for (const Quartiles& time : time_messages(ranks_, pairs, at_once_bytes, Way::ping_pong, seconds_))
      ratios.push_back(time.median / alone_s);
    found_.at_once.push_back({.what = what,
                              .pairs = pairs.size(),
                              .simulated = simulated,
                              .times_as_long = quantile(ratios, 0.5),
                              .slowest = std::ranges::max(ratios)});
  }

  StreamRates rates(const Stream& stream) const {
    const std::vector<double> alone = stream_rates(ranks_, stream, false, seconds_);
    const std::vector<double> all = stream_rates(ranks_, stream, true, seconds_);
    StreamRates found{.name = stream.name};
    if (!ranks_.is_root()) return found;
    found.one_rank = alone.front();
    for (const std::size_t rank : found_.layout.nodes.front()) found.all_ranks += all[rank];
    return found;
  }

  const comm::Communicator& ranks_;
  double seconds_;
  Calibration found_;
};

std::string share(double value) { return fmt::format("{:.0f}%", 100.0 * value); }

std::string note_on_ranks(const Calibration& found) {
  std::size_t most = 0;
  for (const auto& node : found.layout.nodes) most = std::max(most, node.size());
  const std::size_t cores = found.layout.cores;
  if (cores != 0 && most > cores)
    return fmt::format("{} on a node of {}: ranks shared cores, so that no time here is one of your cluster",
                       plural(most, "rank"), plural(cores, "core"));
  if (most < cores)
    return fmt::format("{} on a node of {}: memory and noise of a node at full work were not seen",
                       plural(most, "rank"), plural(cores, "core"));
  return "";
}

std::string note_on_line(const char* where, const std::optional<MessageSeries>& series) {
  constexpr double poor = 0.25;
  if (!series || series->errors.median <= poor) return "";
  return fmt::format("messages {} are no straight line: half of the sizes are off by more than {}", where,
                     share(series->errors.median));
}

// Both ways at once costs as much as one way after the other.
std::string note_on_both_ways(const std::optional<MessageSeries>& series) {
  if (!series) return "";
  const double ratio = series->both_ways_s.back() / series->times.back().seconds.median;
  if (ratio < 1.5) return "";
  return fmt::format(
      "between nodes, long messages both ways at once take {:.1f} times as long as one way: "
      "the simulation lets them pass each other",
      ratio);
}

std::string note_on_sharing(const AtOnce& row) {
  constexpr double near = 1.33;
  const double ratio = row.times_as_long / row.simulated;
  if (ratio < near && ratio > 1.0 / near) return "";
  return fmt::format("{}: {} at once took {:.2f} times as long as one alone; the simulation takes {:.0f}",
                     row.what, plural(row.pairs, "pair"), row.times_as_long, row.simulated);
}

std::string note_on_slowest(const Calibration& found) {
  constexpr double slow = 0.9;
  const auto slowest = std::ranges::min_element(found.noise.speeds);
  if (slowest == found.noise.speeds.end() || *slowest > slow) return "";
  const auto rank = static_cast<std::size_t>(slowest - found.noise.speeds.begin());
  return fmt::format("rank {} on {} worked at {} of the usual rank's speed", rank, found.layout.hosts[rank],
                     share(*slowest));
}

std::string note_on_noise(const Noise& noise) {
  constexpr double much = 0.1;
  if (noise.mean_delay <= much) return "";
  return fmt::format(
      "equal work took {} longer in the mean than in the median: something else ran on these cores",
      share(noise.mean_delay));
}

}  // namespace

Calibration calibrate(const comm::Communicator& ranks, double seconds) {
  return Calibrator(ranks, seconds).run();
}

std::vector<std::string> notes_on(const Calibration& found) {
  std::vector<std::string> notes;
  if (!found.between_nodes)
    notes.emplace_back(
        "all ranks are on one node, so no network was measured: alpha_s and beta_s_per_byte "
        "are those of messages within the node");
  if (!found.within_node)
    notes.emplace_back(
        "each node has one rank, so messages within a node were not measured: the file has no "
        "memory_alpha_s and no memory_beta_s_per_byte, and the simulation takes its defaults");
  for (const AtOnce& row : found.at_once)
    if (std::string note = note_on_sharing(row); !note.empty()) notes.push_back(std::move(note));
  for (std::string note :
       {note_on_ranks(found), note_on_line("within a node", found.within_node),
        note_on_line("between nodes", found.between_nodes), note_on_both_ways(found.between_nodes),
        note_on_slowest(found), note_on_noise(found.noise)})
    if (!note.empty()) notes.push_back(std::move(note));
  return notes;
}

}  // namespace lockstep::simulate
