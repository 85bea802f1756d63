// SPDX-License-Identifier: BSD-3-Clause
// Vectors that end within memory, and what is made of their elements.
#include "core/simd.hpp"

#include <array>
#include <numeric>

#include <gtest/gtest.h>

namespace lockstep::simd {
namespace {

constexpr float untouched = -1.0F;

TEST(Simd, TheFirstValuesAreLoadedAndStoredAndNoOthersAreTouched) {
  std::array<float, width> from{};
  std::iota(from.begin(), from.end(), 1.0F);
  for (std::size_t count = 0; count <= width; ++count) {
    const Floats loaded = load_first(from.data(), count);
    std::array<float, width> to{};
    to.fill(untouched);
    store_first(to.data(), count, load(from.data()));
    for (std::size_t i = 0; i < width; ++i) {
      EXPECT_EQ(loaded[i], i < count ? from[i] : 0.0F) << i << " of " << count;
      EXPECT_EQ(to[i], i < count ? from[i] : untouched) << i << " of " << count;
    }
  }
}

TEST(Simd, ASumIsThatOfAllElements) {
  EXPECT_EQ(sum(to_floats(lane_numbers())), static_cast<float>(width * (width - 1) / 2));
}

TEST(Simd, TheLargestIsFoundInEveryPlace) {
  for (std::size_t at = 0; at < width; ++at) {
    Floats values = broadcast(-3.0F);
    values[at] = -2.0F;
    EXPECT_EQ(largest(values), -2.0F) << at;
  }
}

}  // namespace
}  // namespace lockstep::simd
