// SPDX-License-Identifier: BSD-3-Clause
// HDF5 files that are not what a reader expects, made by HDF5 itself: so our reader is tried, and not the
// library's, which crashes on files whose structure is broken.
#pragma once

#include <cstddef>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace lockstep::fuzz {

/// A file of ours, edited, with the checksum of what it is then. One edit a line; what HDF5 refuses is left
/// out.
///   remove PATH                              a group or a data set
///   group PATH
///   text PATH TEXT                           a data set of one text of variable length
///   fixed PATH TEXT                          the same of fixed length
///   data PATH TYPE LENGTHS LAYOUT NUMBER     any other, e.g. data /epochs/train_s f64 4x2 chunked 1.5
///   extend PATH LENGTHS                      gives a chunked data set another size
///   soft PATH PATH, hard PATH PATH           links
///   no_attribute PATH NAME
///   text_attribute PATH NAME TEXT
///   attribute PATH NAME TYPE LENGTHS NUMBER
/// TYPE: i8, u8, i32, i64, u64, f32, f64, enum, pair (compound), opaque, array. LAYOUT: contiguous, compact,
/// chunked, packed, unwritten. LENGTHS: 4x2, scalar or null. An attribute's PATH may be "/".
[[nodiscard]] std::vector<std::byte> edited(std::span<const std::byte> file, std::string_view edits);

/// The bytes of a file that `write(path)` makes, without its checksum.
[[nodiscard]] std::vector<std::byte> bytes_written_by(
    const std::function<void(const std::string& path)>& write);

}  // namespace lockstep::fuzz
