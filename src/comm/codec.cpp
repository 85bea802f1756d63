// SPDX-License-Identifier: BSD-3-Clause
// The table of codecs.
#include "comm/codec.hpp"

#include <array>
#include <bit>
#include <cassert>
#include <cstdint>
#include <cstring>

#include "core/names.hpp"

namespace lockstep::comm {
namespace {

/// The upper half of a float: its sign, its exponent and 7 bits of mantissa (bfloat16), rounded to nearest,
/// ties to even. NaN stays NaN, infinity stays infinity.
class Bf16 final : public Codec {
 public:
  Bf16() : Codec("bf16") {}
  [[nodiscard]] std::size_t bytes(std::size_t length) const override { return 2 * length; }

 protected:
  void write(std::span<const float> in, std::span<std::byte> out) const override {
    assert(out.size() == bytes(in.size()));
    const float* __restrict from = in.data();
    std::byte* __restrict to = out.data();
    for (std::size_t i = 0; i < in.size(); ++i) {
      const std::uint16_t code = rounded(std::bit_cast<std::uint32_t>(from[i]));
      std::memcpy(to + 2 * i, &code, 2);
    }
  }
  void read(std::span<const std::byte> in, std::span<float> out) const override {
    assert(in.size() == bytes(out.size()));
    const std::byte* __restrict from = in.data();
    float* __restrict to = out.data();
    for (std::size_t i = 0; i < out.size(); ++i) to[i] = value(from + 2 * i);
  }
  void read_add(std::span<const std::byte> in, std::span<float> inout) const override {
    assert(in.size() == bytes(inout.size()));
    const std::byte* __restrict from = in.data();
    float* __restrict to = inout.data();
    for (std::size_t i = 0; i < inout.size(); ++i) to[i] += value(from + 2 * i);
  }

 private:
  static std::uint16_t rounded(std::uint32_t bits) {
    const bool is_nan = (bits & 0x7fffffffU) > 0x7f800000U;
    const std::uint32_t nearest = bits + 0x7fffU + ((bits >> 16U) & 1U);
    return static_cast<std::uint16_t>((is_nan ? bits | 0x400000U : nearest) >> 16U);
  }
  static float value(const std::byte* place) {
    std::uint16_t code = 0;
    std::memcpy(&code, place, 2);
    return std::bit_cast<float>(static_cast<std::uint32_t>(code) << 16U);
  }
};

const Bf16 bf16;

constexpr std::array table = {
    CodecRow{"none", "floats as they are", nullptr},
    CodecRow{"bf16", "bfloat16: half the bytes, the upper half of each float, rounded", &bf16},
};

}  // namespace

Work Codec::work(const char* kernel, std::size_t length) const {
  const auto floats = static_cast<double>(length);
  return {.kernel = std::string(name_) + " " + kernel,
          .count = length,
          .cost = {.flop = floats, .bytes = sizeof(float) * floats + static_cast<double>(bytes(length))}};
}

void Codec::encode(std::span<const float> in, std::span<std::byte> out) const {
  const Working working([&] { return work("encode", in.size()); });
  if (working) write(in, out);
}

void Codec::decode(std::span<const std::byte> in, std::span<float> out) const {
  const Working working([&] { return work("decode", out.size()); });
  if (working) read(in, out);
}

void Codec::decode_add(std::span<const std::byte> in, std::span<float> inout) const {
  const Working working([&] { return work("decode and add", inout.size()); });
  if (working) read_add(in, inout);
}

std::span<const CodecRow> codec_table() { return table; }

const CodecRow& find_codec(std::string_view name) { return find_row(codec_table(), "compression", name); }

}  // namespace lockstep::comm
