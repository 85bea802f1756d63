// SPDX-License-Identifier: BSD-3-Clause
// Appended and compared in memory: the files that have it this way are small.
#include "record/file_checksum.hpp"

#include <algorithm>
#include <cerrno>
#include <fstream>
#include <iterator>
#include <string>
#include <system_error>

#include "core/error.hpp"
#include "core/sha256.hpp"

namespace lockstep::record {
namespace {

namespace fs = std::filesystem;

bool is_hex_digit(std::byte byte) {
  const char digit = static_cast<char>(byte);
  return (digit >= '0' && digit <= '9') || (digit >= 'a' && digit <= 'f');
}

}  // namespace

void append_checksum(std::vector<std::byte>& file) {
  const std::string checksum = sha256(file);
  std::ranges::copy(std::as_bytes(std::span(checksum)), std::back_inserter(file));
}

Checksum compare_checksum(std::span<const std::byte> file) {
  if (file.size() < checksum_length) return Checksum::absent;
  const auto end = file.last(checksum_length);
  const bool is_checksum = std::ranges::all_of(end, is_hex_digit);
  if (is_checksum) {
    const std::string expected = sha256(file.first(file.size() - checksum_length));
    return std::ranges::equal(end, std::as_bytes(std::span(expected))) ? Checksum::right : Checksum::wrong;
  }
  return contains(file, checksum_note) ? Checksum::wrong : Checksum::absent;
}

bool contains(std::span<const std::byte> bytes, std::string_view text) {
  const std::string_view all(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  return all.find(text) != std::string_view::npos;
}

std::uintmax_t size_of(std::ifstream& file) {
  const auto end = file.seekg(0, std::ios::end).tellg();
  file.seekg(0);
  return file ? static_cast<std::uintmax_t>(end) : 0;
}

std::vector<std::byte> read_bytes(const fs::path& path) {
  const auto fail = [&](int error) {
    throw Error({.what = "cannot read " + path.string(), .got = std::generic_category().message(error)});
  };
  errno = 0;
  std::ifstream file(path, std::ios::binary);
  if (!file) fail(errno);
  std::vector<std::byte> bytes(size_of(file));
  file.read(reinterpret_cast<char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
  if (!file) fail(errno != 0 ? errno : EIO);
  return bytes;
}

}  // namespace lockstep::record
