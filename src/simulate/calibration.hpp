// SPDX-License-Identifier: BSD-3-Clause
// What a cluster's file needs, measured on the nodes of a job.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "comm/communicator.hpp"
#include "core/json_fwd.hpp"
#include "simulate/line_fit.hpp"
#include "simulate/measure.hpp"

namespace lockstep::simulate {

/// Messages between two ranks while all others rest, and their line.
struct MessageSeries {
  Pair pair{};
  std::vector<MessageTime> times{};   ///< half round trips
  std::vector<double> both_ways_s{};  ///< of each size, when both send at once
  Line line{};
  LineErrors errors{};
};

/// Messages of several pairs at once.
struct AtOnce {
  std::string_view what;  ///< which pairs
  std::size_t pairs = 0;
  double simulated = 1.0;      ///< what times_as_long is in the simulation
  double times_as_long = 1.0;  ///< the median pair's message, in that of one pair alone
  double slowest = 1.0;        ///< the slowest pair's
};

struct StreamRates {
  std::string_view name;
  double one_rank = 0.0;   ///< bytes a second
  double all_ranks = 0.0;  ///< of a node, together
};

struct Calibration {
  Layout layout;
  std::optional<MessageSeries> within_node{}, between_nodes{};  ///< where there are two such ranks
  std::vector<AtOnce> at_once{};
  std::vector<StreamRates> streams{};
  Noise noise{};
};

/// Of the messages that several pairs send at once.
inline constexpr std::size_t at_once_bytes = std::size_t{1} << 20;

/// Measures on all ranks and prints what is going on; each size of messages takes about `seconds` or a little
/// more. Complete on rank 0. Collective; throws Error on rank 0.
[[nodiscard]] Calibration calibrate(const comm::Communicator& ranks, double seconds);

/// What people should know before they believe the numbers: one sentence each.
[[nodiscard]] std::vector<std::string> notes_on(const Calibration& found);

/// Tables for people. Ends with a line end.
[[nodiscard]] std::string report(const Calibration& found);

/// The cluster's file: what is simulated, and "fit". 0 cores: those of the node that has fewest.
[[nodiscard]] Json cluster_of(const Calibration& found, const std::string& name, const std::string& source,
                              std::size_t cores_per_node);

/// JSON text whose lines are short where they can be, with a line end.
[[nodiscard]] std::string file_text(const Json& values);

}  // namespace lockstep::simulate
