// SPDX-License-Identifier: BSD-3-Clause
// One training: builds the parts that the configuration names, runs the epochs, records them.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <vector>

#include "comm/communicator.hpp"
#include "core/json.hpp"
#include "record/checkpoint.hpp"
#include "train/launch_options.hpp"
#include "train/run_config.hpp"

namespace lockstep::train {

/// Where a run begins.
struct ResumePoint {
  bool complete = false;                         ///< it has ended already: there is nothing to do
  bool reopens = false;                          ///< the run file is there and goes on
  std::string checkpoint = {};                   ///< the file to go on from; "" = from the first step
  std::size_t epochs_done = 0, epoch_steps = 0;  ///< epochs before it, and steps of the one that goes on
  double lost_s = 0.0;          ///< training time that was recorded after it, and is done again
  Json about = Json::object();  ///< what the checkpoint tells of itself
  /// The checkpoint, on rank 0, open since it was chosen: another process may replace the file.
  std::shared_ptr<const record::CheckpointReader> reader = nullptr;
};

/// A run's launch, where it begins, and what is known of its process.
struct RunSettings {
  LaunchOptions launch;
  ResumePoint resume_point;
  std::vector<std::string> command_line;
  double start_private_bytes = 0.0;  ///< this rank's memory after MPI_Init
  double start_s = 0.0;              ///< now_s() then
};

/// Checks, before any rank starts to work, what can be checked: data files, model, optimizer, results folder.
/// Throws ConfigError or Error. For one rank on behalf of all.
void check_training(const ResolvedConfig& config, const RunSettings& settings);

/// Trains to the end and returns the exit status: 0, 3 when the training diverged, or 75 when it was told to
/// stop (SIGUSR1, SIGTERM, SIGINT) and can go on later. Collective.
[[nodiscard]] int run_training(const comm::Communicator& ranks, ResolvedConfig& config, RunSettings settings);

}  // namespace lockstep::train
