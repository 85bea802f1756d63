// SPDX-License-Identifier: BSD-3-Clause
// A sweep's runs as text and as JSON.
#pragma once

#include <cstddef>
#include <string>

#include "sweep/estimate.hpp"

namespace lockstep::sweep {

/// The fixed settings; a table of those that vary, with a line for all runs that differ in the seed alone, at
/// most `limit` lines (0: all); how many runs, on how many ranks, for how long; notes.
[[nodiscard]] std::string expand_report(const Spec& spec, const Expansion& expansion,
                                        const Forecast& forecast, const std::filesystem::path& folder,
                                        std::size_t limit);

/// An array with an object for each run, in their order.
[[nodiscard]] Json expand_json(const Expansion& expansion, const Forecast& forecast);

}  // namespace lockstep::sweep
