// SPDX-License-Identifier: BSD-3-Clause
// Measuring which GEMM backend is the fastest at a shape.
#pragma once

#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "math/gemm.hpp"

namespace lockstep::math {

/// A backend among which is chosen; the earlier ones are preferred.
struct GemmCandidate {
  std::string_view name;
  std::unique_ptr<Gemm> gemm;
};

/// The shortest time that each candidate took for one product of this shape, on operands of its own. All take
/// turns, so that whatever disturbs the machine disturbs all; one that starts far behind is left at that.
/// Takes a few milliseconds, or two or three products of each candidate where those take longer.
[[nodiscard]] std::vector<double> measure_s(std::span<const GemmCandidate> candidates,
                                            const GemmShape& shape);

/// The first candidate that is not clearly slower than the fastest: within what a stopwatch cannot tell.
[[nodiscard]] std::size_t preferred(std::span<const double> times_s);

/// The backend that hands each product to one of these (at least one): `auto` is it over all
/// others of the table.
[[nodiscard]] std::unique_ptr<Gemm> make_gemm_that_chooses(std::vector<GemmCandidate> candidates);

}  // namespace lockstep::math
