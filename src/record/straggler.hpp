// SPDX-License-Identifier: BSD-3-Clause
// The rank for which the others wait.
#pragma once

#include <optional>
#include <string>

#include "record/run_record.hpp"

namespace lockstep::record {

/// A rank that is clearly slower than the others.
struct Straggler {
  std::size_t rank = 0;
  std::string host;
  double wait_s = 0.0;      ///< that the others waited, each, over all epochs; the mean
  double wait_share = 0.0;  ///< of their training time
};

/// The rank that waited least, if the others waited for 5% of their training time or more, and it for less
/// than half as long as they. So no rank is named where all wait alike, as for a network.
[[nodiscard]] std::optional<Straggler> straggler(const RunRecord& record);

/// "rank 3 on n02 was the slowest: the other ranks waited 12% of their time for it (4.1 s each)"
[[nodiscard]] std::string to_text(const Straggler& straggler);

}  // namespace lockstep::record
