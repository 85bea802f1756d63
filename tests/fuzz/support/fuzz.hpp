// SPDX-License-Identifier: BSD-3-Clause
// What the targets share. A target is a program: libFuzzer calls LLVMFuzzerTestOneInput with input after
// input.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <fmt/format.h>

#include "core/error.hpp"

namespace lockstep::fuzz {

/// Calls `read`. An Error is how a reader refuses input. Whatever else is thrown ends the process: a crash.
template <class Read>
void expect_errors_only(const Read& read) {
  try {
    read();
  } catch (const Error&) {
  }
}

/// The same, and without edits (`input_bytes` is 0) the input is good: then an Error is a crash, too.
template <class Read>
void expect_errors_only_if_edited(std::size_t input_bytes, const Read& read) {
  if (input_bytes == 0) return read();
  expect_errors_only(read);
}

/// Ends the process unless `holds`; `what` says what should hold.
inline void require(bool holds, std::string_view what) {
  if (holds) return;
  fmt::print(stderr, "broken: {}\n", what);
  std::abort();
}

inline std::string text_of(const std::uint8_t* data, std::size_t size) {
  return {reinterpret_cast<const char*>(data), size};
}

/// One line for each word or operation.
[[nodiscard]] std::vector<std::string> lines_of(std::string_view text);

/// A temporary file, for readers that take a path. run.sh keeps them in memory, and removes what a crash
/// leaves.
class File {
 public:
  File();
  ~File();
  File(const File&) = delete;
  File& operator=(const File&) = delete;
  void fill(std::span<const std::byte> bytes) const;
  void fill(std::string_view text) const { fill(std::as_bytes(std::span(text))); }
  [[nodiscard]] const std::string& path() const { return path_; }

 private:
  std::string path_;
  int fd_;
};

}  // namespace lockstep::fuzz
