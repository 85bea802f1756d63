// SPDX-License-Identifier: BSD-3-Clause
// The host's name.
#include "core/host.hpp"

#include <array>

#include <unistd.h>

namespace lockstep {

std::string host_name() {
  std::array<char, 256> name{};
  if (gethostname(name.data(), name.size() - 1) != 0) return "unknown";
  return name.data();
}

}  // namespace lockstep
