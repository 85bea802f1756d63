// SPDX-License-Identifier: BSD-3-Clause
// Philox4x32-10 in blocks that the compiler turns into vector code, and the distributions built on it.
#include "core/random.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <numeric>

namespace lockstep {
namespace {

constexpr std::uint32_t multiplier_0 = 0xD2511F53;
constexpr std::uint32_t multiplier_1 = 0xCD9E8D57;
constexpr std::uint32_t weyl_0 = 0x9E3779B9;
constexpr std::uint32_t weyl_1 = 0xBB67AE85;
constexpr int rounds = 10;

// Counters computed together: enough independent lanes to fill a vector unit, and small enough for the
// inner loops below to be unrolled and kept in registers.
constexpr std::size_t lanes = 16;
constexpr std::size_t block_numbers = 4 * lanes;

// Philox on counters (a, b, c, first .. first + lanes - 1); out[4 * lane + word].
void philox_lanes(std::array<std::uint32_t, 2> key, std::uint32_t a, std::uint32_t b, std::uint32_t c,
                  std::uint32_t first, std::uint32_t* out) {
  std::uint32_t x0[lanes], x1[lanes], x2[lanes], x3[lanes];
  for (std::size_t i = 0; i < lanes; ++i) {
    x0[i] = a;
    x1[i] = b;
    x2[i] = c;
    x3[i] = first + static_cast<std::uint32_t>(i);
  }
  for (int round = 0; round < rounds; ++round) {
    for (std::size_t i = 0; i < lanes; ++i) {
      const std::uint64_t p0 = std::uint64_t{multiplier_0} * x0[i];
      const std::uint64_t p1 = std::uint64_t{multiplier_1} * x2[i];
      const std::uint32_t y0 = static_cast<std::uint32_t>(p1 >> 32) ^ x1[i] ^ key[0];
      const std::uint32_t y2 = static_cast<std::uint32_t>(p0 >> 32) ^ x3[i] ^ key[1];
      x1[i] = static_cast<std::uint32_t>(p1);
      x3[i] = static_cast<std::uint32_t>(p0);
      x0[i] = y0;
      x2[i] = y2;
    }
    key[0] += weyl_0;
    key[1] += weyl_1;
  }
  for (std::size_t i = 0; i < lanes; ++i) {
    out[4 * i] = x0[i];
    out[4 * i + 1] = x1[i];
    out[4 * i + 2] = x2[i];
    out[4 * i + 3] = x3[i];
  }
}

// Calls convert(bits, destination, count) for consecutive blocks of the row.
template <class Convert>
void for_blocks(std::array<std::uint32_t, 2> key, std::uint32_t a, std::uint32_t b, std::uint32_t c,
                std::size_t n, Convert convert) {
  alignas(64) std::uint32_t block[block_numbers];
  for (std::size_t at = 0; at < n; at += block_numbers) {
    philox_lanes(key, a, b, c, static_cast<std::uint32_t>(at / 4), block);
    convert(block, at, std::min(block_numbers, n - at));
  }
}

// Top 23 bits, centred in their cell (exact in 24 bits of mantissa): never 0, never 1, symmetric about 1/2.
float unit_interval(std::uint32_t bits) {
  return (static_cast<float>(static_cast<std::int32_t>(bits >> 9)) + 0.5F) * 0x1p-23F;
}

// Natural logarithm for x in (0, 1]: exponent and mantissa apart, a series in z = (m-1)/(m+1) for the latter.
// Written without branches, so that the loop around it is vectorised.
float log_unit(float x) {
  const auto bits = std::bit_cast<std::int32_t>(x);
  const std::int32_t exponent = (bits - 0x3F3504F3) >> 23;  // mantissa falls in [sqrt(1/2), sqrt(2))
  const float mantissa = std::bit_cast<float>(bits - (exponent << 23));
  const float z = (mantissa - 1.0F) / (mantissa + 1.0F);
  const float z2 = z * z;
  const float series = 2.0F * z * (1.0F + z2 * (1.0F / 3 + z2 * (1.0F / 5 + z2 * (1.0F / 7 + z2 / 9))));
  return static_cast<float>(exponent) * 0.693147180559945F + series;
}

// sqrt(2) * erfinv(2u - 1) for u in (0, 1). Both polynomials are evaluated and one is selected: no branch.
float normal_from_uniform(float u) {
  const float x = 2.0F * u - 1.0F;
  const float w = -log_unit(4.0F * u * (1.0F - u));  // (1 - x)(1 + x) without cancellation
  const float s = w - 2.5F;
  float near = 2.81022636e-08F;
  near = 3.43273939e-07F + near * s;
  near = -3.5233877e-06F + near * s;
  near = -4.39150654e-06F + near * s;
  near = 0.00021858087F + near * s;
  near = -0.00125372503F + near * s;
  near = -0.00417768164F + near * s;
  near = 0.246640727F + near * s;
  near = 1.50140941F + near * s;
  const float t = std::sqrt(std::max(w, 0.0F)) - 3.0F;
  float tail = -0.000200214257F;
  tail = 0.000100950558F + tail * t;
  tail = 0.00134934322F + tail * t;
  tail = -0.00367342844F + tail * t;
  tail = 0.00573950773F + tail * t;
  tail = -0.0076224613F + tail * t;
  tail = 0.00943887047F + tail * t;
  tail = 1.00167406F + tail * t;
  tail = 2.83297682F + tail * t;
  return 1.41421356F * x * (w < 5.0F ? near : tail);
}

}  // namespace

PhiloxBlock philox(std::array<std::uint32_t, 2> key, PhiloxBlock counter) {
  std::uint32_t out[block_numbers];
  philox_lanes(key, counter[0], counter[1], counter[2], counter[3], out);
  return {out[0], out[1], out[2], out[3]};
}

void RandomRows::bits(std::uint32_t a, std::uint32_t b, std::uint32_t c, std::span<std::uint32_t> out) const {
  for_blocks(key_, a, b, c, out.size(), [&](const std::uint32_t* block, std::size_t at, std::size_t count) {
    std::copy_n(block, count, out.begin() + static_cast<std::ptrdiff_t>(at));
  });
}

void RandomRows::uniform(std::uint32_t a, std::uint32_t b, std::uint32_t c, std::span<float> out) const {
  for_blocks(key_, a, b, c, out.size(), [&](const std::uint32_t* block, std::size_t at, std::size_t count) {
    float* to = out.data() + at;
    for (std::size_t i = 0; i < count; ++i) to[i] = unit_interval(block[i]);
  });
}

void RandomRows::normal(std::uint32_t a, std::uint32_t b, std::uint32_t c, std::span<float> out) const {
  for_blocks(key_, a, b, c, out.size(), [&](const std::uint32_t* block, std::size_t at, std::size_t count) {
    float* to = out.data() + at;
    for (std::size_t i = 0; i < count; ++i) to[i] = normal_from_uniform(unit_interval(block[i]));
  });
}

void shuffled_order(std::uint32_t seed, std::uint32_t epoch, std::span<std::uint32_t> order) {
  std::iota(order.begin(), order.end(), 0U);
  const RandomRows rows(seed, Purpose::sample_order);
  std::array<std::uint32_t, 256> numbers{};
  std::size_t used = numbers.size();
  std::uint32_t row = 0;
  const auto next = [&] {
    if (used == numbers.size()) {
      rows.bits(epoch, row++, 0, numbers);
      used = 0;
    }
    return numbers[used++];
  };
  const auto below = [&](std::uint32_t bound) {
    std::uint64_t product = std::uint64_t{next()} * bound;
    if (static_cast<std::uint32_t>(product) < bound) {
      const std::uint32_t threshold = -bound % bound;
      while (static_cast<std::uint32_t>(product) < threshold) product = std::uint64_t{next()} * bound;
    }
    return static_cast<std::uint32_t>(product >> 32);
  };
  for (std::size_t i = order.size(); i > 1; --i)
    std::swap(order[i - 1], order[below(static_cast<std::uint32_t>(i))]);
}

}  // namespace lockstep
