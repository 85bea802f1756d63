// SPDX-License-Identifier: BSD-3-Clause
// Softmax beside the library's exponential, at rows that fill vectors and rows that do not.
#include "math/softmax.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include <gtest/gtest.h>

#include "core/random.hpp"

namespace lockstep::math {
namespace {

TEST(Softmax, IsThatOfTheLibrarysExponentialAtEveryLength) {
  for (std::size_t length = 1; length <= 40; ++length) {
    for (const float spread : {0.1F, 3.0F, 30.0F}) {
      std::vector<float> row(length);
      RandomRows(1, Purpose::synthetic_data).normal(static_cast<std::uint32_t>(length), 0, 0, row);
      for (float& x : row) x = spread * x - 5.0F;
      const float largest = *std::ranges::max_element(row);
      const auto exponential = [&](float x) { return std::exp(static_cast<double>(x - largest)); };
      double sum = 0.0;
      for (const float x : row) sum += exponential(x);

      std::vector<float> out(length + 1, -1.0F);
      const ExponentialSum found = softmax(row, std::span(out).first(length));
      EXPECT_EQ(found.largest, largest);
      EXPECT_NEAR(found.sum, sum, 4e-7 * sum);
      EXPECT_EQ(out.back(), -1.0F) << "written beyond the row of " << length;
      for (std::size_t j = 0; j < length; ++j) {
        const double share = exponential(row[j]) / sum;
        EXPECT_NEAR(out[j], share, 4e-7 * share + 1e-37) << j << " of " << length;
      }

      EXPECT_EQ(softmax(row, {}).sum, found.sum) << "without an output";
      softmax(row, row);
      EXPECT_TRUE(std::equal(row.begin(), row.end(), out.begin())) << "in place, " << length;
    }
  }
}

TEST(Softmax, HasSharesOfNothingButNoInfinities) {
  constexpr float infinity = std::numeric_limits<float>::infinity();
  for (const std::size_t length : {4U, 21U}) {
    std::vector<float> row(length, -1e30F);
    row[1] = row[3] = 1e30F;
    row[2] = -infinity;
    softmax(row, row);
    for (std::size_t j = 0; j < length; ++j) EXPECT_EQ(row[j], j == 1 || j == 3 ? 0.5F : 0.0F) << j;
  }
}

TEST(Softmax, DoesNotHideANaN) {
  for (const std::size_t length : {3U, 21U})
    for (std::size_t at = 0; at < length; ++at) {
      std::vector<float> row(length, 1.0F);
      row[at] = std::numeric_limits<float>::quiet_NaN();
      EXPECT_TRUE(std::isnan(softmax(row, row).sum)) << at << " of " << length;
      for (const float share : row) EXPECT_TRUE(std::isnan(share)) << at << " of " << length;
    }
}

}  // namespace
}  // namespace lockstep::math
