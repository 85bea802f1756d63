// SPDX-License-Identifier: BSD-3-Clause
// Philox4x32-10 in blocks that the compiler turns into vector code, and the distributions built on it.
#include "core/random.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <numeric>

#include "core/simd.hpp"

namespace lockstep {
namespace {

using simd::Floats;
using simd::Ints;

constexpr std::uint64_t multiplier_0 = 0xD2511F53;
constexpr std::uint64_t multiplier_1 = 0xCD9E8D57;
constexpr std::uint32_t weyl_0 = 0x9E3779B9;
constexpr std::uint32_t weyl_1 = 0xBB67AE85;
constexpr int rounds = 10;

// Counters computed together: independent work enough to fill the vector units, and few enough for the
// registers.
constexpr std::size_t lanes = 16;
constexpr std::size_t vectors = lanes / simd::word_count;
constexpr std::size_t block_numbers = 4 * lanes;
static_assert(std::endian::native == std::endian::little, "two words of 32 bits are written as one of 64");

// Philox on counters (a, b, c, first .. first + lanes - 1); out[4 * lane + word]. Each lane of 64 bits holds
// a word in its low half and whatever the last product left in its high half, which no product reads.
void philox_lanes(std::array<std::uint32_t, 2> key, std::uint32_t a, std::uint32_t b, std::uint32_t c,
                  std::uint32_t first, std::uint32_t* out) {
  using simd::Words;
  Words x0[vectors], x1[vectors], x2[vectors], x3[vectors];
  for (std::size_t v = 0; v < vectors; ++v) {
    x0[v] = Words{} + a;
    x1[v] = Words{} + b;
    x2[v] = Words{} + c;
    for (std::size_t i = 0; i < simd::word_count; ++i)
      x3[v][i] = static_cast<std::uint32_t>(first + v * simd::word_count + i);
  }
  const Words by_0 = Words{} + multiplier_0;
  const Words by_1 = Words{} + multiplier_1;
#pragma GCC unroll 10
  for (int round = 0; round < rounds; ++round) {
    for (std::size_t v = 0; v < vectors; ++v) {
      const Words p0 = simd::multiply_low_halves(x0[v], by_0);
      const Words p1 = simd::multiply_low_halves(x2[v], by_1);
      x0[v] = (p1 >> 32) ^ x1[v] ^ key[0];
      x2[v] = (p0 >> 32) ^ x3[v] ^ key[1];
      x1[v] = p1;
      x3[v] = p0;
    }
    key[0] += weyl_0;
    key[1] += weyl_1;
  }
  constexpr std::uint64_t low = 0xFFFFFFFF;
  for (std::size_t v = 0; v < vectors; ++v) {
    Words pairs[2];
    simd::interleave((x0[v] & low) | (x1[v] << 32), (x2[v] & low) | (x3[v] << 32), pairs[0], pairs[1]);
    std::memcpy(out + 4 * v * simd::word_count, pairs, sizeof pairs);
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
Floats unit_interval(const std::uint32_t* bits) {
  Ints top;
  std::memcpy(&top, bits, sizeof top);
  return (simd::to_floats((top >> 9) & 0x7FFFFF) + 0.5F) * 0x1p-23F;
}

// Natural logarithm for x in (0, 1]: exponent and mantissa apart, a series in z = (m-1)/(m+1) for the latter.
Floats log_unit(Floats x) {
  const Ints bits = simd::as_ints(x);
  const Ints exponent = (bits - 0x3F3504F3) >> 23;  // mantissa falls in [sqrt(1/2), sqrt(2))
  const Floats mantissa = simd::as_floats(bits - (exponent << 23));
  const Floats z = (mantissa - 1.0F) / (mantissa + 1.0F);
  const Floats z2 = z * z;
  const Floats series =
      2.0F * z * (1.0F + z2 * (1.0F / 3 + z2 * (1.0F / 5 + z2 * (1.0F / 7 + z2 * (1.0F / 9)))));
  return simd::to_floats(exponent) * 0.693147180559945F + series;
}

// Giles's two polynomials for erfinv(x) / x in w = -log(1 - x^2): for w below 5, and beyond.
constexpr float tail_begins = 5.0F;
Floats near_polynomial(Floats w) {
  const Floats s = w - 2.5F;
  Floats p = simd::broadcast(2.81022636e-08F);
  p = 3.43273939e-07F + p * s;
  p = -3.5233877e-06F + p * s;
  p = -4.39150654e-06F + p * s;
  p = 0.00021858087F + p * s;
  p = -0.00125372503F + p * s;
  p = -0.00417768164F + p * s;
  p = 0.246640727F + p * s;
  return 1.50140941F + p * s;
}
Floats tail_polynomial(Floats w) {
  const Floats t = simd::sqrt(w) - 3.0F;
  Floats p = simd::broadcast(-0.000200214257F);
  p = 0.000100950558F + p * t;
  p = 0.00134934322F + p * t;
  p = -0.00367342844F + p * t;
  p = 0.00573950773F + p * t;
  p = -0.0076224613F + p * t;
  p = 0.00943887047F + p * t;
  p = 1.00167406F + p * t;
  return 2.83297682F + p * t;
}

// out[i] = sqrt(2) erfinv(2u - 1), u the uniform number of bits[i]. One number in 300 lies in the tail, so
// that few vectors need the second polynomial.
void normal_block(const std::uint32_t* bits, float* out) {
  constexpr float root_of_2 = 1.41421356F;
  for (std::size_t i = 0; i < block_numbers; i += simd::width) {
    const Floats u = unit_interval(bits + i);
    const Floats w = -log_unit(4.0F * u * (1.0F - u));  // (1 - x)(1 + x) of x = 2u - 1, without cancellation
    Floats polynomial = near_polynomial(w);
    if (const Ints in_tail = w >= tail_begins; simd::any(in_tail))
      polynomial = in_tail ? tail_polynomial(w) : polynomial;
    simd::store(out + i, root_of_2 * (2.0F * u - 1.0F) * polynomial);
  }
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
    if (count == block_numbers) {
      normal_block(block, out.data() + at);
    } else {
      float last[block_numbers];
      normal_block(block, last);
      std::copy_n(last, count, out.data() + at);
    }
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
