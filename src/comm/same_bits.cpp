// SPDX-License-Identifier: BSD-3-Clause
// Fingerprints, and their comparison.
#include "comm/same_bits.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>

namespace lockstep::comm {
namespace {

// Odd, and with no pattern: the golden ratio's bits.
constexpr std::uint64_t multiplier = 0x9E3779B97F4A7C15;

std::uint64_t mix(std::uint64_t sum, std::uint64_t word) { return std::rotl((sum ^ word) * multiplier, 29); }

}  // namespace

std::uint64_t fingerprint(std::span<const float> values) {
  std::array<std::uint64_t, 4> chains{1, 2, 3, 4};  // so that multiplications need not wait for each other
  const auto bytes = std::as_bytes(values);
  std::size_t at = 0;
  for (; at + sizeof chains <= bytes.size(); at += sizeof chains) {
    std::array<std::uint64_t, 4> words{};
    std::memcpy(words.data(), bytes.data() + at, sizeof words);
    for (std::size_t i = 0; i < chains.size(); ++i) chains[i] = mix(chains[i], words[i]);
  }
  std::uint64_t sum = bytes.size();
  for (; at < bytes.size(); ++at) sum = mix(sum, static_cast<std::uint64_t>(bytes[at]));
  for (const std::uint64_t chain : chains) sum = mix(sum, chain);
  return sum;
}

std::vector<std::size_t> ranks_that_differ(const Communicator& ranks, std::span<const float> values) {
  // Halves are numbers that a double holds exactly.
  const std::uint64_t mine = fingerprint(values);
  const auto high = static_cast<double>(mine >> 32U);
  const auto low = static_cast<double>(mine & 0xFFFFFFFFU);
  std::array<double, 4> limits{high, -high, low, -low};
  ranks.max(limits);
  if (limits[0] == -limits[1] && limits[2] == -limits[3]) return {};

  std::vector<double> all(2 * ranks.size());
  all[2 * ranks.rank()] = high;
  all[2 * ranks.rank() + 1] = low;
  ranks.sum(all);
  const auto of = [&](std::size_t rank) { return std::array{all[2 * rank], all[2 * rank + 1]}; };
  std::size_t most = 0;
  std::array<double, 2> common{};
  for (std::size_t rank = 0; rank < ranks.size(); ++rank) {
    std::size_t count = 0;
    for (std::size_t other = 0; other < ranks.size(); ++other) count += of(other) == of(rank) ? 1 : 0;
    if (count > most) {
      most = count;
      common = of(rank);
    }
  }
  std::vector<std::size_t> different;
  for (std::size_t rank = 0; rank < ranks.size(); ++rank)
    if (of(rank) != common) different.push_back(rank);
  return different;
}

}  // namespace lockstep::comm
