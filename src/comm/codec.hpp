// SPDX-License-Identifier: BSD-3-Clause
// How floats are written on the wire.
#pragma once

#include <cstddef>
#include <span>
#include <string_view>

#include "core/work.hpp"

namespace lockstep::comm {

/// Writes floats in fewer bytes, and reads them again. A function of the values alone: equal values have
/// equal codes on every rank.
class Codec {
 public:
  virtual ~Codec() = default;
  /// Bytes that `length` floats take.
  [[nodiscard]] virtual std::size_t bytes(std::size_t length) const = 0;
  /// `out` has bytes(in.size()).
  void encode(std::span<const float> in, std::span<std::byte> out) const;
  void decode(std::span<const std::byte> in, std::span<float> out) const;
  /// inout += what `in` stands for.
  void decode_add(std::span<const std::byte> in, std::span<float> inout) const;

 protected:
  explicit Codec(std::string_view name) : name_(name) {}
  virtual void write(std::span<const float> in, std::span<std::byte> out) const = 0;
  virtual void read(std::span<const std::byte> in, std::span<float> out) const = 0;
  virtual void read_add(std::span<const std::byte> in, std::span<float> inout) const = 0;

 private:
  [[nodiscard]] Work work(const char* kernel, std::size_t length) const;

  std::string_view name_;  // the row's
};

struct CodecRow {
  std::string_view name;
  std::string_view help;
  const Codec* codec;  ///< nullptr: floats are sent as they are
};

[[nodiscard]] std::span<const CodecRow> codec_table();
/// The row called `name`; throws ConfigError for an unknown name.
[[nodiscard]] const CodecRow& find_codec(std::string_view name);

}  // namespace lockstep::comm
