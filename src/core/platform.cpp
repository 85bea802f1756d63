// SPDX-License-Identifier: BSD-3-Clause
// This machine's clock and name.
#include "core/platform.hpp"

#include <array>
#include <ctime>

#include <unistd.h>

namespace lockstep {
namespace {

double machine_now_s() {
  timespec t{};
  clock_gettime(CLOCK_MONOTONIC, &t);
  return static_cast<double>(t.tv_sec) + 1e-9 * static_cast<double>(t.tv_nsec);
}

std::string machine_host_name() {
  std::array<char, 256> name{};
  if (gethostname(name.data(), name.size() - 1) != 0) return "unknown";
  return name.data();
}

constinit Platform current{.now_s = machine_now_s,
                           .host_name = machine_host_name,
                           .node_number = nullptr,
                           .wait_for_start = nullptr,
                           .is_simulated = false,
                           .computes = true,
                           .simulation = ""};

}  // namespace

const Platform& platform() { return current; }
void set_platform(const Platform& platform) { current = platform; }

}  // namespace lockstep
