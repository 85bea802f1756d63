// SPDX-License-Identifier: BSD-3-Clause
// Choices of GEMM backends as text, for messages, run files and other ranks.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "math/gemm.hpp"

namespace lockstep::math {

/// "TN": whether A and B are transposed.
[[nodiscard]] std::string ops_text(const GemmShape& shape);
/// "784x256x64": m, n and k.
[[nodiscard]] std::string sizes_text(const GemmShape& shape);
/// "TN 784x256x64"
[[nodiscard]] std::string to_text(const GemmShape& shape);
/// The inverse; nothing for any other text.
[[nodiscard]] std::optional<GemmShape> parse_shape(std::string_view text);

/// "TN 784x256x64: tiled; NN 64x256x784: cblas"
[[nodiscard]] std::string to_text(std::span<const GemmChoice> choices);
/// The inverse; throws Error for any other text.
[[nodiscard]] std::vector<GemmChoice> parse_choices(std::string_view text);

}  // namespace lockstep::math
