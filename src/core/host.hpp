// SPDX-License-Identifier: BSD-3-Clause
// The host that this process is on.
#pragma once

#include <string>

namespace lockstep {

/// Its name, as `hostname` prints it; "unknown" if the system does not tell.
[[nodiscard]] std::string host_name();

}  // namespace lockstep
