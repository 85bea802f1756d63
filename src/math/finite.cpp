// SPDX-License-Identifier: BSD-3-Clause
// A sum of the values times zero: it is zero if and only if all values are finite.
#include "math/finite.hpp"

#include <array>

#include "core/simd.hpp"
#include "core/work.hpp"

namespace lockstep::math {

bool all_finite(std::span<const float> values) {
  const Working working([&] { return array_work("finite", values.size(), 1); });
  if (!working) return true;
  constexpr std::size_t chains = 4;  // so that additions need not wait for each other
  std::array<simd::Floats, chains> sums{};
  const simd::Floats zero = simd::broadcast(0.0F);
  std::size_t at = 0;
  for (; at + chains * simd::width <= values.size(); at += chains * simd::width)
    for (std::size_t i = 0; i < chains; ++i)
      sums[i] += zero * simd::load(values.data() + at + i * simd::width);
  float rest = simd::sum(sums[0] + sums[1] + sums[2] + sums[3]);
  for (; at < values.size(); ++at) rest += 0.0F * values[at];
  return rest == 0.0F;
}

}  // namespace lockstep::math
