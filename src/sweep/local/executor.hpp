// SPDX-License-Identifier: BSD-3-Clause
// Makes runs: on this machine or inside a Slurm job one after another, and simulated ones several at once.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "sweep/local/launcher.hpp"
#include "sweep/plan.hpp"

namespace lockstep::sweep {

/// How a list of runs went.
struct Outcome {
  std::size_t failed = 0;
  std::size_t open = 0;  ///< were interrupted, or not begun
  int stop_signal = 0;   ///< the signal that ended the list early, or 0

  /// 0; 1 if a run failed; interrupted_status after a stop signal.
  [[nodiscard]] int exit_status() const;
};

/// Makes the points' runs that are not complete, then further repeats as long as `until` asks for them.
/// Prints a line for each. As many are at work as the site says; simulated ones fewer if this machine's
/// memory is short. If a run fails, the next one follows. A stop signal ends the runs at work with a
/// checkpoint, and the list.
[[nodiscard]] Outcome make_runs(const Plan& plan, const Site& site, std::vector<Point> points,
                                SignalWatch& signals);

/// The site that makes `at_once` runs at the same time; 0: as many as it says itself. Throws ConfigError if
/// it makes one after another.
[[nodiscard]] Site site_of_runs(const std::string& word, std::size_t at_once);

/// Throws ConfigError unless the site is this machine, or simulated on it as the plan's runs are, and every
/// run fits it.
void check_local(const Plan& plan, const Site& site);

/// Makes the missing runs on this machine, prints the result, and returns the exit status. The folder is
/// locked.
int run_local(const Plan& plan, const Site& site);

/// Prints the command lines of the missing runs.
void print_local(const Plan& plan, const Site& site);

}  // namespace lockstep::sweep
