// SPDX-License-Identifier: BSD-3-Clause
// A sweep's runs, to look at and for machines.
#pragma once

#include <cstddef>
#include <string>

#include "sweep/estimate.hpp"

namespace lockstep::sweep {

/// What is fixed; a table of the settings that vary, one line for runs that differ in the seed alone, at most
/// `limit` lines (0: all); how many runs, on what, for how long; notes.
[[nodiscard]] std::string expand_report(const Spec& spec, const Expansion& expansion,
                                        const Forecast& forecast, const std::filesystem::path& folder,
                                        std::size_t limit);

/// An array with an object for each run, in their order.
[[nodiscard]] Json expand_json(const Expansion& expansion, const Forecast& forecast);

}  // namespace lockstep::sweep
