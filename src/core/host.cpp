// SPDX-License-Identifier: BSD-3-Clause
// The host's name.
#include "core/host.hpp"

#include "core/platform.hpp"

namespace lockstep {

std::string host_name() { return platform().host_name(); }

}  // namespace lockstep
