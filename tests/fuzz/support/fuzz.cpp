// SPDX-License-Identifier: BSD-3-Clause
// Files, and the bound of memory.
#include "fuzz.hpp"

#include <algorithm>
#include <filesystem>

#include <unistd.h>

#include "core/memory.hpp"

namespace lockstep {

// In place of the library's: what asks for more memory must be refused before it is taken.
std::size_t memory_bytes() { return std::size_t{32} << 20; }

}  // namespace lockstep

namespace lockstep::fuzz {

std::vector<std::string> lines_of(std::string_view text) {
  std::vector<std::string> lines;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    lines.emplace_back(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return lines;
}

File::File()
    : path_(std::filesystem::temp_directory_path() / "lockstep-fuzz-XXXXXX"), fd_(::mkstemp(path_.data())) {
  require(fd_ >= 0, "a temporary file can be made");
}

File::~File() {
  ::close(fd_);
  ::unlink(path_.c_str());
}

void File::fill(std::span<const std::byte> bytes) const {
  const bool whole = ::ftruncate(fd_, 0) == 0 &&
                     ::pwrite(fd_, bytes.data(), bytes.size(), 0) == static_cast<ssize_t>(bytes.size());
  require(whole, "a temporary file can be written");
}

}  // namespace lockstep::fuzz
