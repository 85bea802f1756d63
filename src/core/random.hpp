// SPDX-License-Identifier: BSD-3-Clause
// Counter-based random numbers: a function of (seed, purpose, counter), never a state, never the rank.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

namespace lockstep {

/// What a random number is for; keys of different purposes give independent streams.
enum class Purpose : std::uint32_t {
  initial_weights = 1,
  sample_order = 2,
  dropout = 3,
  synthetic_data = 4,
  simulated_noise = 5,
  simulated_loss = 6
};

/// Philox4x32-10 (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC11).
/// The same counter always gives the same four numbers, on any rank and in any order.
using PhiloxBlock = std::array<std::uint32_t, 4>;
[[nodiscard]] PhiloxBlock philox(std::array<std::uint32_t, 2> key, PhiloxBlock counter);

/// The keys of Philox's rounds, each in 64 bits as the vectors have them.
using PhiloxKeys = std::array<std::array<std::uint64_t, 2>, 10>;

/// A stream of random rows. Row (a, b, c) is addressed by three counters, e.g. (epoch, sample, layer);
/// the fourth counter runs along the row, four numbers a step.
class RandomRows {
 public:
  RandomRows(std::uint32_t seed, Purpose purpose);

  /// 32 random bits per element.
  void bits(std::uint32_t a, std::uint32_t b, std::uint32_t c, std::span<std::uint32_t> out) const;
  /// Uniform on the open interval (0, 1): odd multiples of 2^-24.
  void uniform(std::uint32_t a, std::uint32_t b, std::uint32_t c, std::span<float> out) const;
  /// Standard normal (Box & Muller, "A note on the generation of random normal deviates", 1958): two numbers
  /// from 32 bits, at most 5.2 from 0.
  void normal(std::uint32_t a, std::uint32_t b, std::uint32_t c, std::span<float> out) const;

 private:
  PhiloxKeys keys_;
};

/// `order` becomes the random permutation of 0 .. n-1 that belongs to (seed, epoch): Fisher-Yates with
/// unbiased bounded integers (Lemire, "Fast random integer generation in an interval", 2019).
void shuffled_order(std::uint32_t seed, std::uint32_t epoch, std::span<std::uint32_t> order);

}  // namespace lockstep
