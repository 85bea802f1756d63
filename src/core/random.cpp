// SPDX-License-Identifier: BSD-3-Clause
// Philox4x32-10 in blocks that the compiler turns into vector code, and the distributions built on it.
#include "core/random.hpp"

#include <algorithm>
#include <bit>
#include <cstring>
#include <limits>
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

// Numbers are computed a block at a time, before any of them is used, so that Philox's long chains of
// operations overlap with each other and with what follows.
constexpr std::size_t block_counters = 32;
constexpr std::size_t block_numbers = 4 * block_counters;
static_assert(std::endian::native == std::endian::little, "two words of 32 bits are written as one of 64");

PhiloxKeys schedule(std::array<std::uint32_t, 2> key) {
  PhiloxKeys keys;
  for (auto& of_round : keys) {
    of_round = {key[0], key[1]};
    key[0] += weyl_0;
    key[1] += weyl_1;
  }
  return keys;
}

// Philox on counters (a, b, c, first .. first + count - 1); out[4 * lane + word]. Each lane of 64 bits holds
// a word in its low half and whatever the last product left in its high half, which no product reads.
template <std::size_t count>
void philox_lanes(const PhiloxKeys& keys, std::uint32_t a, std::uint32_t b, std::uint32_t c,
                  std::uint32_t first, std::uint32_t* out) {
  using simd::Words;
  constexpr std::size_t vectors = count / simd::word_count;
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
  for (const auto& [key_0, key_1] : keys) {
    for (std::size_t v = 0; v < vectors; ++v) {
      const Words p0 = simd::multiply_low_halves(x0[v], by_0);
      const Words p1 = simd::multiply_low_halves(x2[v], by_1);
      x0[v] = (p1 >> 32) ^ x1[v] ^ key_0;
      x2[v] = (p0 >> 32) ^ x3[v] ^ key_1;
      x1[v] = p1;
      x3[v] = p0;
    }
  }
  constexpr std::uint64_t low = 0xFFFFFFFF;
  for (std::size_t v = 0; v < vectors; ++v) {
    Words pairs[2];
    simd::interleave((x0[v] & low) | (x1[v] << 32), (x2[v] & low) | (x3[v] << 32), pairs[0], pairs[1]);
    std::memcpy(out + 4 * v * simd::word_count, pairs, sizeof pairs);
  }
}

// At least the first n numbers of a block; four vectors of counters fill the registers.
void philox_block(const PhiloxKeys& keys, std::uint32_t a, std::uint32_t b, std::uint32_t c,
                  std::uint32_t first, std::size_t n, std::uint32_t* out) {
  constexpr std::size_t vector = simd::word_count;
  static_assert(block_counters % (4 * vector) == 0);
  for (std::size_t at = 0; 4 * at < n;) {
    const std::size_t left = (n - 4 * at + 3) / 4;
    const auto counter = static_cast<std::uint32_t>(first + at);
    if (left <= vector) {  // rows are often short: 64 units
      philox_lanes<vector>(keys, a, b, c, counter, out + 4 * at);
      at += vector;
    } else if (left <= 2 * vector) {
      philox_lanes<2 * vector>(keys, a, b, c, counter, out + 4 * at);
      at += 2 * vector;
    } else {
      philox_lanes<4 * vector>(keys, a, b, c, counter, out + 4 * at);
      at += 4 * vector;
    }
  }
}

// Calls convert(bits, destination, count) for consecutive blocks of the row.
template <class Convert>
void for_blocks(const PhiloxKeys& keys, std::uint32_t a, std::uint32_t b, std::uint32_t c, std::size_t n,
                Convert convert) {
  alignas(64) std::uint32_t block[block_numbers];
  for (std::size_t at = 0; at < n; at += block_numbers) {
    const std::size_t count = std::min(block_numbers, n - at);
    philox_block(keys, a, b, c, static_cast<std::uint32_t>(at / 4), count, block);
    convert(block, at, count);
  }
}

// Top 23 bits, centred in their cell (exact in 24 bits of mantissa): never 0, never 1, symmetric about 1/2.
float unit_interval(std::uint32_t bits) {
  return (static_cast<float>(static_cast<std::int32_t>(bits >> 9)) + 0.5F) * 0x1p-23F;
}

// Natural logarithm for x in (0, 1]: exponent and mantissa apart, a series in z = (m-1)/(m+1) for the latter.
Floats log_unit(Floats x) {
  const Ints bits = simd::as_ints(x);
  const Ints exponent = (bits - 0x3F3504F3) >> 23;  // mantissa falls in [sqrt(1/2), sqrt(2))
  const Floats mantissa = simd::as_floats(bits - (exponent << 23));
  const Floats z = (mantissa - 1.0F) / (mantissa + 1.0F);
  const Floats z2 = z * z;
  const Floats series = 1.0F + z2 * (1.0F / 3 + z2 * (1.0F / 5 + z2 * (1.0F / 7 + z2 * (1.0F / 9))));
  return simd::to_floats(exponent) * 0.693147180559945F + (z + z) * series;
}

// Cosine and sine of t in [-pi/4, pi/4]: Taylor's series, to single precision.
Floats cosine(Floats t2) {
  return 1.0F + t2 * (-1.0F / 2 + t2 * (1.0F / 24 + t2 * (-1.0F / 720 + t2 * (1.0F / 40320))));
}
Floats sine(Floats t, Floats t2) {
  return t * (1.0F + t2 * (-1.0F / 6 + t2 * (1.0F / 120 + t2 * (-1.0F / 5040))));
}

// Each word makes a pair of normal numbers: its upper 18 bits a radius sqrt(-2 log u), the others an angle.
// 11 bits place that within a quarter of the circle around 0; two signs and an exchange of x and y spread it
// over the whole. Words 16 g .. 16 g + 15 make the numbers from 32 g on: all x, then all y.
constexpr std::size_t group_words = 16;
constexpr std::size_t group_numbers = 2 * group_words;
static_assert(group_words % simd::width == 0 && block_numbers % group_words == 0);

void normal_group(const std::uint32_t* words, float* out) {
  constexpr float half_pi = 1.57079632679489662F;
  constexpr std::int32_t sign_bit = std::numeric_limits<std::int32_t>::min();
  for (std::size_t i = 0; i < group_words; i += simd::width) {
    Ints word;
    std::memcpy(&word, words + i, sizeof word);
    const Floats u = simd::to_floats((word >> 14) & 0x3FFFF) * 0x1p-18F + 0x1p-19F;
    const Floats radius = simd::sqrt(-2.0F * log_unit(u));
    const Floats t =
        simd::to_floats((word >> 3) & 0x7FF) * (0x1p-11F * half_pi) + (0x1p-12F - 0.5F) * half_pi;
    const Floats t2 = t * t;
    const Floats along = radius * cosine(t2);
    const Floats across = radius * sine(t, t2);
    const Ints exchanged = (word & 4) != 0;
    const Floats x = exchanged ? across : along;
    const Floats y = exchanged ? along : across;
    simd::store(out + i, simd::as_floats(simd::as_ints(x) ^ ((word << 31) & sign_bit)));
    simd::store(out + group_words + i, simd::as_floats(simd::as_ints(y) ^ ((word << 30) & sign_bit)));
  }
}

}  // namespace

PhiloxBlock philox(std::array<std::uint32_t, 2> key, PhiloxBlock counter) {
  std::uint32_t out[block_numbers];
  philox_block(schedule(key), counter[0], counter[1], counter[2], counter[3], 4, out);
  return {out[0], out[1], out[2], out[3]};
}

RandomRows::RandomRows(std::uint32_t seed, Purpose purpose)
    : keys_(schedule({seed, static_cast<std::uint32_t>(purpose)})) {}

// A row is computed by one function with all calls inlined. Constants stay in registers, and the processor,
// which looks some 450 operations ahead, overlaps a block's last steps with the next block's first ones.
[[gnu::flatten]] void RandomRows::bits(std::uint32_t a, std::uint32_t b, std::uint32_t c,
                                       std::span<std::uint32_t> out) const {
  for_blocks(keys_, a, b, c, out.size(), [&](const std::uint32_t* block, std::size_t at, std::size_t count) {
    std::copy_n(block, count, out.begin() + static_cast<std::ptrdiff_t>(at));
  });
}

[[gnu::flatten]] void RandomRows::uniform(std::uint32_t a, std::uint32_t b, std::uint32_t c,
                                          std::span<float> out) const {
  for_blocks(keys_, a, b, c, out.size(), [&](const std::uint32_t* block, std::size_t at, std::size_t count) {
    float* to = out.data() + at;
    for (std::size_t i = 0; i < count; ++i) to[i] = unit_interval(block[i]);
  });
}

[[gnu::flatten]] void RandomRows::normal(std::uint32_t a, std::uint32_t b, std::uint32_t c,
                                         std::span<float> out) const {
  // Whole groups of words, since a group is converted as a whole.
  const std::size_t words = (out.size() + group_numbers - 1) / group_numbers * group_words;
  for_blocks(keys_, a, b, c, words, [&](const std::uint32_t* block, std::size_t at, std::size_t count) {
    const std::span<float> to = out.subspan(2 * at, std::min(2 * count, out.size() - 2 * at));
    for (std::size_t i = 0; i < to.size(); i += group_numbers) {
      if (i + group_numbers <= to.size()) {
        normal_group(block + i / 2, to.data() + i);
      } else {
        float last[group_numbers];
        normal_group(block + i / 2, last);
        std::copy_n(last, to.size() - i, to.data() + i);
      }
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
