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
/// images.
[[nodiscard]] std::vector<std::size_t> read_idx_dimensions(const std::filesystem::path& path);

/// Reads all values into `out`, which must have exactly as many bytes as the file declares.
/// Throws Error for a file that is missing, foreign, short or longer than it declares.
void read_idx_values(const std::filesystem::path& path, std::span<std::uint8_t> out);

/// `path` if it exists, else `path` + ".gz"; throws Error naming both when neither does.
[[nodiscard]] std::filesystem::path find_idx_file(const std::filesystem::path& path);

}  // namespace lockstep::data
