// SPDX-License-Identifier: BSD-3-Clause
// Reader of IDX files (the format of MNIST and its relatives), plain or gzipped.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <vector>

namespace lockstep::data {

/// The dimensions that an IDX file of unsigned bytes declares: {count} for labels, {count, rows, columns} for
/// images. Throws Error for a file that is missing or foreign, or whose size cannot be that which it
/// declares.
[[nodiscard]] std::vector<std::size_t> read_idx_dimensions(const std::filesystem::path& path);

/// Reads all values into `out`, which must have exactly as many bytes as the file declares.
/// Throws Error for a file that is missing, foreign, short or longer than it declares.
void read_idx_values(const std::filesystem::path& path, std::span<std::uint8_t> out);

/// The labels of a file of bytes or of 32-bit numbers: [count], or [count, columns], of which the first
/// column is the class (QMNIST). Throws Error as read_idx_values does.
[[nodiscard]] std::vector<std::uint32_t> read_idx_labels(const std::filesystem::path& path);

/// SHA-256 of a file's bytes, unzipped.
[[nodiscard]] std::string sha256_of_file(const std::filesystem::path& path);

}  // namespace lockstep::data
