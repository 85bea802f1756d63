// SPDX-License-Identifier: BSD-3-Clause
// How a run is launched: where results go, how it goes on, what is shown. Not part of what is trained.
#pragma once

#include <cstddef>
#include <string>

#include "core/options.hpp"

namespace lockstep::train {

struct LaunchOptions {
  std::string results = "results";
  std::string run_id;  ///< "" = made up
  bool resume = false;
  std::size_t checkpoint_epochs = 0;
  double checkpoint_minutes = 10.0;
  double stall_seconds = 600.0;
  std::string progress = "auto";
  std::string save_model;  ///< "" = nowhere

  void describe(Options& options);
};

}  // namespace lockstep::train
