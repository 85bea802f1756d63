// SPDX-License-Identifier: BSD-3-Clause
// What the program runs on: this machine, or a simulated cluster.
#pragma once

#include <cstddef>
#include <string>

namespace lockstep {

struct Platform {
  double (*now_s)() = nullptr;             ///< seconds on a monotonic clock
  std::string (*host_name)() = nullptr;    ///< of the calling rank's node
  std::size_t (*node_number)() = nullptr;  ///< simulated: of the calling rank's node
  /// Lets the training start at a time that nothing before it has an influence on; nullptr: it starts at
  /// once.
  void (*wait_for_start)() = nullptr;
  /// All ranks are coroutines of this one process, and time is the simulator's. So a rank that waits must
  /// wait in MPI, memory is shared by all, and no thread can watch.
  bool is_simulated = false;
  /// False: nothing is computed, only its time passes. Then losses, accuracies and parameters mean nothing.
  bool computes = true;
  /// What is simulated or emulated, and how, as a JSON object; "": nothing is. Outlives all.
  const char* simulation = "";
};

/// This machine, unless set_platform() was called.
[[nodiscard]] const Platform& platform();
/// Before any rank starts.
void set_platform(const Platform& platform);

}  // namespace lockstep
