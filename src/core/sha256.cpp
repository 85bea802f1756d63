// SPDX-License-Identifier: BSD-3-Clause
// OpenSSL's SHA-256.
#include "core/sha256.hpp"

#include <array>

#include <fmt/format.h>
#include <openssl/evp.h>

#include "core/error.hpp"

namespace lockstep {
namespace {

void check(int code) {
  if (code != 1) throw Error({.what = "SHA-256 failed in the OpenSSL library"});
}

}  // namespace

struct Sha256::Context {
  Context() : digest(EVP_MD_CTX_new()) { check(digest != nullptr ? 1 : 0); }
  ~Context() { EVP_MD_CTX_free(digest); }
  Context(const Context&) = delete;
  Context& operator=(const Context&) = delete;
  EVP_MD_CTX* digest;
};

Sha256::Sha256() : context_(std::make_unique<Context>()) {
  check(EVP_DigestInit_ex(context_->digest, EVP_sha256(), nullptr));
}

Sha256::~Sha256() = default;

void Sha256::add(std::span<const std::byte> bytes) {
  check(EVP_DigestUpdate(context_->digest, bytes.data(), bytes.size()));
}

std::string Sha256::hex() {
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned length = 0;
  check(EVP_DigestFinal_ex(context_->digest, digest.data(), &length));
  std::string text;
  for (unsigned i = 0; i < length; ++i) text += fmt::format("{:02x}", digest[i]);
  return text;
}

std::string sha256(std::span<const std::byte> bytes) {
  Sha256 checksum;
  checksum.add(bytes);
  return checksum.hex();
}

}  // namespace lockstep
