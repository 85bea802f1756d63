// SPDX-License-Identifier: BSD-3-Clause
// What codecs make of floats.
#include "comm/codec.hpp"

#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>
#include <random>
#include <vector>

#include <gtest/gtest.h>

#include "core/error.hpp"

namespace lockstep::comm {
namespace {

float through(const Codec& codec, float value) {
  std::vector<std::byte> code(codec.bytes(1));
  float decoded = 0.0F;
  codec.encode({&value, 1}, code);
  codec.decode(code, {&decoded, 1});
  return decoded;
}

// The nearest of the two neighbours that have a mantissa of 8 bits, by arithmetic in double precision.
double nearest_bf16(float value) {
  const double unit = std::ldexp(1.0, std::max(std::ilogb(value), -126) - 7);
  return std::nearbyint(static_cast<double>(value) / unit) * unit;  // ties to even
}

TEST(Bf16, RoundsToTheNearestTiesToEven) {
  const Codec& bf16 = *find_codec("bf16").codec;
  std::mt19937 random(1);
  for (int i = 0; i < 100'000; ++i) {
    const auto value = std::bit_cast<float>(static_cast<std::uint32_t>(random()));
    if (!std::isfinite(value) || std::abs(value) > 3e38F || value == 0.0F) continue;
    ASSERT_EQ(static_cast<double>(through(bf16, value)), nearest_bf16(value)) << value;
  }
  for (const float tie : {1.00390625F, 1.01171875F, -1.00390625F})  // between two codes
    EXPECT_EQ(static_cast<double>(through(bf16, tie)), nearest_bf16(tie)) << tie;
}

TEST(Bf16, KeepsWhatIsNoNumber) {
  const Codec& bf16 = *find_codec("bf16").codec;
  const float infinity = std::numeric_limits<float>::infinity();
  EXPECT_EQ(through(bf16, infinity), infinity);
  EXPECT_EQ(through(bf16, -infinity), -infinity);
  EXPECT_EQ(through(bf16, std::numeric_limits<float>::max()), infinity) << "nearer than any finite code";
  EXPECT_TRUE(std::signbit(through(bf16, -0.0F)));
  for (const std::uint32_t bits : {0x7f800001U, 0xff800001U, 0x7fffffffU, 0xffffffffU})
    EXPECT_TRUE(std::isnan(through(bf16, std::bit_cast<float>(bits)))) << bits;
}

TEST(Codecs, DecodeAddAddsWhatDecodeGives) {
  for (const CodecRow& row : codec_table()) {
    if (row.codec == nullptr) continue;
    std::mt19937 random(2);
    std::normal_distribution<float> normal;
    std::vector<float> values(1001), decoded(1001), sum(1001, 0.5F);
    for (float& value : values) value = normal(random);
    std::vector<std::byte> code(row.codec->bytes(values.size()));
    row.codec->encode(values, code);
    row.codec->decode(code, decoded);
    row.codec->decode_add(code, sum);
    for (std::size_t i = 0; i < values.size(); ++i) ASSERT_EQ(sum[i], 0.5F + decoded[i]) << row.name;
  }
}

TEST(Codecs, AnUnknownOneIsAnsweredWithTheNearest) { EXPECT_THROW((void)find_codec("bf61"), ConfigError); }

}  // namespace
}  // namespace lockstep::comm
