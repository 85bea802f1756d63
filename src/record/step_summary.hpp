// SPDX-License-Identifier: BSD-3-Clause
// The step times of a run's last epoch in one line.
#pragma once

#include <string>

#include "record/run_record.hpp"

namespace lockstep::record {

/// "steps of the last epoch: half took 1.2 ms at most, 99% 1.9 ms; the longest took 14 ms, on rank 1 (n02)";
/// "" if they are not recorded.
[[nodiscard]] std::string step_summary(const RunRecord& record);

}  // namespace lockstep::record
