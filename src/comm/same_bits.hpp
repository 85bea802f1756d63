// SPDX-License-Identifier: BSD-3-Clause
// Whether ranks that should have the same numbers have them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "comm/communicator.hpp"

namespace lockstep::comm {

/// A number that differs, but for one chance in 2^64, for arrays that differ in any bit. Eight bytes take
/// less time than it takes to read them from memory. Not for secrets.
[[nodiscard]] std::uint64_t fingerprint(std::span<const float> values);

/// The ranks whose values differ from those of the majority, on all ranks. Empty if all are the same.
/// Collective.
[[nodiscard]] std::vector<std::size_t> ranks_that_differ(const Communicator& ranks,
                                                         std::span<const float> values);

}  // namespace lockstep::comm
