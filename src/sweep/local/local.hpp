// SPDX-License-Identifier: BSD-3-Clause
// A sweep on this machine.
#pragma once

#include "sweep/plan.hpp"
#include "sweep/site.hpp"

namespace lockstep::sweep {

/// Makes the runs that are missing, says what came out, and returns the exit status.
int run_local(const Plan& plan, const Site& site);

/// Prints the command lines of the runs that are missing.
int print_local(const Plan& plan, const Site& site);

}  // namespace lockstep::sweep
