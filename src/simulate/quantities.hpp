// SPDX-License-Identifier: BSD-3-Clause
// The kinds of numbers that describe a cluster, and their bounds. What lies beyond these is a slip of the
// pen, and would take the simulation's arithmetic to infinity or its loops to no end.
#pragma once

#include <cstddef>
#include <string>
#include <utility>

#include "core/options.hpp"

namespace lockstep::simulate {

inline constexpr std::size_t most_things = 1'000'000;  ///< nodes, cores, switches, ...
inline constexpr double longest_s = 1e6;               ///< 12 days
inline constexpr double fastest_s_per_byte = 1e-15;    ///< 1 PB/s
inline constexpr double slowest_s_per_byte = 1.0;
inline constexpr double largest_ratio = 1e6;
inline constexpr double most_lost = 0.99;  ///< a message is sent 100 times then

inline Option& add_count(Options& options, std::string key, std::size_t* place, std::string help) {
  return options.add(std::move(key), place, std::move(help)).at_least(1).at_most(most_things);
}

inline Option& add_seconds(Options& options, std::string key, double* place, std::string help) {
  return options.add(std::move(key), place, std::move(help)).at_least(0).at_most(longest_s);
}

inline Option& add_seconds_per_byte(Options& options, std::string key, double* place, std::string help) {
  return options.add(std::move(key), place, std::move(help))
      .at_least(fastest_s_per_byte)
      .at_most(slowest_s_per_byte);
}

inline Option& add_ratio(Options& options, std::string key, double* place, std::string help) {
  return options.add(std::move(key), place, std::move(help))
      .at_least(1 / largest_ratio)
      .at_most(largest_ratio);
}

}  // namespace lockstep::simulate
