// SPDX-License-Identifier: BSD-3-Clause
// One training: builds the parts that the configuration names, runs the epochs, records them.
#pragma once

#include <string>
#include <vector>

#include "comm/communicator.hpp"
#include "train/run_config.hpp"

namespace lockstep::train {

/// Where the results go and how the run presents itself; not part of what is trained.
struct RunSettings {
  std::string results = "results";
  std::string run_id;  ///< "" = made up
  std::string progress = "auto";
  std::vector<std::string> command_line;
  double start_private_bytes = 0.0;  ///< this rank's memory after MPI_Init
  double start_s = 0.0;              ///< now_s() then
};

/// Checks, before any rank starts to work, what can be checked: data files, model, optimizer, results folder.
/// Throws ConfigError or Error. For one rank on behalf of all.
void check_training(const ResolvedConfig& config, const RunSettings& settings);

/// Trains to the end and returns the exit status: 0, or 3 when the training diverged. Collective.
[[nodiscard]] int run_training(const comm::Communicator& ranks, ResolvedConfig& config,
                               const RunSettings& settings);

}  // namespace lockstep::train
