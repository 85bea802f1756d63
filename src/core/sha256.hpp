// SPDX-License-Identifier: BSD-3-Clause
// SHA-256 of bytes that come piece by piece.
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <string_view>

namespace lockstep {

/// A checksum that is fed in pieces; how the bytes are cut into pieces makes no difference.
class Sha256 {
 public:
  Sha256();
  ~Sha256();
  Sha256(const Sha256&) = delete;
  Sha256& operator=(const Sha256&) = delete;

  void add(std::span<const std::byte> bytes);
  void add(std::string_view text) { add(std::as_bytes(std::span(text))); }
  /// The checksum of all that was added, in hexadecimal; nothing can be added afterwards.
  [[nodiscard]] std::string hex();

 private:
  struct Context;  // OpenSSL's
  std::unique_ptr<Context> context_;
};

/// Of one block.
[[nodiscard]] std::string sha256(std::span<const std::byte> bytes);

}  // namespace lockstep
