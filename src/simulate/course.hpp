// SPDX-License-Identifier: BSD-3-Clause
// How fast a core or a cable is over time, by what goes wrong with it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "simulate/trouble.hpp"

namespace lockstep::simulate {

/// A factor over time, constant from each change to the next.
class Course {
 public:
  /// Of the speed of a core, that core of the job.
  static Course of_core(const Trouble& trouble, std::size_t node, std::size_t core);
  /// Of the bandwidth of a node's cable.
  static Course of_cable(const Trouble& trouble, std::size_t node);

  [[nodiscard]] double time_s() const { return time_s_; }
  [[nodiscard]] double value() const;
  /// When the value may change next; infinity: never.
  [[nodiscard]] double next_change_s() const;
  /// To the next change, which there is.
  void advance();

 private:
  struct Part {  // a factor that comes and goes
    double factor;
    Period period;
    std::uint64_t times = 0;  // that it has begun
    bool active = false;
    double change_s = 0.0;

    void toggle();
  };
  void add(double factor, const Period& period);
  void draw();

  double time_s_ = 0.0;
  std::vector<Part> parts_;
  Noise noise_;
  std::uint32_t seed_ = 0, core_ = 0, draws_ = 0;
  double noise_factor_ = 1.0;
};

}  // namespace lockstep::simulate
