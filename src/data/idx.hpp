// SPDX-License-Identifier: BSD-3-Clause
// Reader of IDX files (the format of MNIST and its relatives), plain or gzipped.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <vector>

#include "data/values.hpp"

namespace lockstep::data {

/// What an IDX file declares: {count} for labels, {count, rows, columns} for grey images, ...
struct IdxHeader {
  ValueType type = ValueType::uint8;
  std::vector<std::size_t> dimensions;  ///< from one to four

  /// The product of the dimensions.
  [[nodiscard]] std::size_t values() const;
};

/// Throws Error for a file that is missing or foreign, or whose size cannot be that which it declares.
[[nodiscard]] IdxHeader read_idx_header(const std::filesystem::path& path);

/// Reads all values into `out`, in the processor's byte order; it must have exactly as many bytes as the file
/// declares. Throws Error for a file that is missing, foreign, short or longer than it declares.
void read_idx_values(const std::filesystem::path& path, std::span<std::byte> out);

/// The labels of a file of integers: [count], or [count, columns], of which the first column is the class
/// (QMNIST). Throws Error as read_idx_values does.
[[nodiscard]] std::vector<std::int32_t> read_idx_labels(const std::filesystem::path& path);

/// SHA-256 of a file's bytes, unzipped.
[[nodiscard]] std::string sha256_of_file(const std::filesystem::path& path);

}  // namespace lockstep::data
