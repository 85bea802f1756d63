// SPDX-License-Identifier: BSD-3-Clause
// SHA-256 of bytes that come piece by piece.
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string>

struct evp_md_ctx_st;  // OpenSSL's EVP_MD_CTX

namespace lockstep {

/// A checksum that is fed in pieces; how the bytes are cut into pieces makes no difference.
class Sha256 {
 public:
  Sha256();

  void add(std::span<const std::byte> bytes);
  /// The checksum of all that was added, in hexadecimal; nothing can be added afterwards.
  [[nodiscard]] std::string hex();

 private:
  std::unique_ptr<evp_md_ctx_st, void (*)(evp_md_ctx_st*)> context_;
};

/// The checksum of one block.
[[nodiscard]] std::string sha256(std::span<const std::byte> bytes);

}  // namespace lockstep
