// SPDX-License-Identifier: BSD-3-Clause
// The name of a run.
#pragma once

#include <cstdint>
#include <string>

#include "sweep/spec/resolver.hpp"

namespace lockstep::sweep {

/// ALGORITHM-DATASET-nRANKS-bBATCH-sSEED-HASH. HASH is the beginning (12 digits) of the SHA-256 of the text
/// of a JSON object without spaces, keys in alphabetical order: the values of the configuration that differ
/// from the program's defaults (but experiment), `ranks`, `seed`, and `nodes` unless it is 0. So a run has
/// the same name in every sweep, however the sweep's file writes it, and options that come later do not
/// change it.
[[nodiscard]] std::string make_run_id(const Resolved& resolved, std::size_t ranks, std::size_t nodes,
                                      std::uint32_t seed);

/// That object's text.
[[nodiscard]] std::string identity_text(const Resolved& resolved, std::size_t ranks, std::size_t nodes,
                                        std::uint32_t seed);

}  // namespace lockstep::sweep
