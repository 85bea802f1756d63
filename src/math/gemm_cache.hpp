// SPDX-License-Identifier: BSD-3-Clause
// Choices of GEMM backends kept from one run to the next, one file for each host and build.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "math/gemm.hpp"

namespace lockstep::math {

/// All but the host that measured times depend on, in one line: commit, compiler, flags, BLAS and its kernel,
/// processor.
[[nodiscard]] std::string gemm_cache_build();

/// Where choices are kept in cache_folder(). The file's name tells the host and a hash of gemm_cache_build().
/// Empty where there is no such folder to name.
[[nodiscard]] std::filesystem::path gemm_cache_path();

/// The choices kept for this host and build; none when the file is absent, unreadable, torn, of another host
/// or build, or names what this build does not know: those are then measured anew.
[[nodiscard]] std::vector<GemmChoice> read_gemm_cache();

/// Replaces the file as a whole. A folder that cannot be written is no error, since all can be measured
/// again.
void write_gemm_cache(const std::vector<GemmChoice>& choices);

}  // namespace lockstep::math
