// SPDX-License-Identifier: BSD-3-Clause
// What goes wrong on a cluster, as its file describes it: noise, slow nodes, bad links, and when.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "core/json_fwd.hpp"
#include "core/options.hpp"

namespace lockstep::simulate {

/// Some of the nodes: "3", "0-3,8" or "all".
class NodeNames {
 public:
  /// Throws ConfigError for other texts.
  explicit NodeNames(std::string text);
  [[nodiscard]] const std::string& text() const { return text_; }
  [[nodiscard]] bool contains(std::size_t node) const;

 private:
  std::string text_;
  std::vector<std::pair<std::size_t, std::size_t>> ranges_;  // first and last
};

/// From `from_s` on, for `for_s` (0: for ever), and again every `every_s` (0: once). Simulated seconds.
struct Period {
  double from_s = 0.0;
  double for_s = 0.0;
  double every_s = 0.0;

  void describe(Options& options);
  void check() const;  ///< throws ConfigError
  [[nodiscard]] bool is_active(double now_s) const;
};

/// Work takes 1 + x times as long as without noise; each core draws x anew every `period_s`.
struct Noise {
  std::string distribution = "exponential";  ///< or "lognormal": of x
  double mean = 0.0;                         ///< of x; 0: no noise
  double cv = 1.0;                           ///< its standard deviation over its mean, if lognormal
  double period_s = 0.01;

  void describe(Options& options);
};

struct SlowNode {
  NodeNames nodes;
  double speed = 1.0;  ///< of each core, in those that it has without
  Period period = {};

  void describe(Options& options);
  void check() const;  ///< throws ConfigError
};

struct BadLink {
  NodeNames nodes;            ///< whose cables
  double bandwidth = 1.0;     ///< in those that it has without
  double extra_s = 0.0;       ///< latency of every message, each way
  double loss = 0.0;          ///< probability that a message is lost
  double retransmit_s = 0.0;  ///< until it is sent again
  Period period = {};

  void describe(Options& options);
  void check() const;  ///< throws ConfigError
};

/// The file's "trouble": {"seed": 1, "noise": {...}, "nodes": {NODES: {...}}, "links": {NODES: {...}}}.
struct Trouble {
  std::uint32_t seed = 1;  ///< of noise and losses
  Noise noise;
  std::vector<SlowNode> nodes;
  std::vector<BadLink> links;

  /// Throws ConfigError.
  void read(const Json& given);
  [[nodiscard]] Json values() const;

  /// Seconds by which what goes wrong delays message `number` of core `from` of the job, between these nodes.
  [[nodiscard]] double delay_s(std::size_t from_node, std::size_t to_node, std::size_t from,
                               std::uint32_t number, double now_s) const;
  [[nodiscard]] bool delays_messages() const;
};

}  // namespace lockstep::simulate
