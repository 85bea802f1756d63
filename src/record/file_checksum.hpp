// SPDX-License-Identifier: BSD-3-Clause
// The checksum at the end of a file: 64 characters, the SHA-256 of all bytes before them. It is compared
// before HDF5 sees the file, because HDF5 may crash, hang or return wrong numbers on a damaged one.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <span>
#include <string_view>
#include <vector>

namespace lockstep::record {

inline constexpr std::size_t checksum_length = 64;
/// A file that contains this text has a checksum. So one that lost it is damaged, and not an older file.
inline constexpr std::string_view checksum_note = "SHA-256 of all other bytes, the last 64 of the file";

enum class Checksum { right, wrong, absent };

void append_checksum(std::vector<std::byte>& file);
/// `absent`: the file was written by a version without checksums.
[[nodiscard]] Checksum compare_checksum(std::span<const std::byte> file);

[[nodiscard]] bool contains(std::span<const std::byte> bytes, std::string_view text);
/// Bytes of the open file, which is then at its start. Not of its name: a writer may replace the file
/// meanwhile.
[[nodiscard]] std::uintmax_t size_of(std::ifstream& file);
/// The whole file. Throws Error if it cannot be read.
[[nodiscard]] std::vector<std::byte> read_bytes(const std::filesystem::path& path);

}  // namespace lockstep::record
