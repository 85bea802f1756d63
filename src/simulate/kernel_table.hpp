// SPDX-License-Identifier: BSD-3-Clause
// How long kernels take, as measured: what modelled computing is made of.
#pragma once

#include <cstddef>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

#include "core/json.hpp"
#include "core/work.hpp"

namespace lockstep::simulate {

/// Times of kernels by count, read from a file that `kernel_table` writes; docs/simulation.md has its format.
class KernelTable {
 public:
  /// Reads a path that ends in .json, or jobs/kernels/NAME.json. Throws ConfigError.
  explicit KernelTable(const std::string& name_or_path);
  /// From what such a file holds. Throws ConfigError.
  explicit KernelTable(const Json& given);

  /// Between two counts that were measured the time is interpolated; beyond them it is proportional to the
  /// count. A kernel that is not there takes the longer of its operations over "gflops" and its bytes over
  /// "gbytes_per_s", if the file has these. Throws ConfigError if it has not.
  [[nodiscard]] double seconds_of(const Work& work) const;

  /// What the file says of itself: all but the times, with a hash of these.
  [[nodiscard]] const Json& about() const { return about_; }
  /// What is to be said at the end of a run: which kernels were asked for but are not there, so that their
  /// times are those of their operations and bytes; "": none.
  [[nodiscard]] std::string note() const;

 private:
  struct Point {
    double count = 0.0, seconds = 0.0;
  };

  void read(const Json& given);
  [[nodiscard]] double estimate(const Work& work) const;

  std::unordered_map<std::string, std::vector<Point>> kernels_;  // points by count
  double gflops_ = 0.0, gbytes_per_s_ = 0.0;                     // 0: not given
  Json about_;
  mutable std::set<std::string> estimated_;
};

}  // namespace lockstep::simulate
