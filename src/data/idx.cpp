// SPDX-License-Identifier: BSD-3-Clause
// IDX through zlib, which reads plain files as they are.
#include "data/idx.hpp"

#include <algorithm>
#include <array>
#include <memory>

#include <fmt/format.h>
#include <zlib.h>

#include "core/error.hpp"

namespace lockstep::data {
namespace {

constexpr std::uint8_t unsigned_byte_type = 0x08;
constexpr unsigned read_buffer_bytes = 1U << 18;

struct GzClose {
  void operator()(gzFile_s* file) const { gzclose(file); }
};
using GzFile = std::unique_ptr<gzFile_s, GzClose>;

GzFile open(const std::filesystem::path& path) {
  GzFile file(gzopen(path.c_str(), "rb"));
  if (!file)
    throw Error({.what = "cannot open " + path.string(), .hint = "`make data` fetches the data sets"});
  gzbuffer(file.get(), read_buffer_bytes);
  return file;
}

// Reads up to out.size() bytes; the number read. zlib takes at most an int's worth at a time.
std::size_t read_some(gzFile_s* file, std::span<std::uint8_t> out, const std::filesystem::path& path) {
  std::size_t done = 0;
  while (done < out.size()) {
    const auto chunk = static_cast<unsigned>(std::min<std::size_t>(out.size() - done, 1U << 30));
    const int got = gzread(file, out.data() + done, chunk);
    if (got < 0) {
      int code = 0;
      throw Error({.what = "cannot read " + path.string(), .got = gzerror(file, &code)});
    }
    if (got == 0) break;
    done += static_cast<std::size_t>(got);
  }
  return done;
}

std::vector<std::size_t> read_header(gzFile_s* file, const std::filesystem::path& path) {
  std::array<std::uint8_t, 4> magic{};
  const bool whole = read_some(file, magic, path) == magic.size();
  if (!whole || magic[0] != 0 || magic[1] != 0 || magic[2] != unsigned_byte_type || magic[3] == 0 ||
      magic[3] > 4)
    throw Error({path.string() + " is not an IDX file of bytes",
                 "first four bytes 00 00 08 and a dimension count",
                 fmt::format("{:02x} {:02x} {:02x} {:02x}", magic[0], magic[1], magic[2], magic[3])});
  std::vector<std::size_t> dimensions;
  for (int i = 0; i < magic[3]; ++i) {
    std::array<std::uint8_t, 4> size{};
    if (read_some(file, size, path) != size.size())
      throw Error({.what = path.string() + " ends within its header"});
    dimensions.push_back((std::size_t{size[0]} << 24) | (std::size_t{size[1]} << 16) |
                         (std::size_t{size[2]} << 8) | size[3]);
  }
  return dimensions;
}

}  // namespace

std::vector<std::size_t> read_idx_dimensions(const std::filesystem::path& path) {
  const GzFile file = open(path);
  return read_header(file.get(), path);
}

void read_idx_values(const std::filesystem::path& path, std::span<std::uint8_t> out) {
  const GzFile file = open(path);
  std::size_t declared = 1;
  for (const std::size_t dimension : read_header(file.get(), path)) declared *= dimension;
  if (declared != out.size())
    throw Error({path.string() + " has another size than expected", fmt::format("{} values", out.size()),
                 fmt::format("{} values", declared)});
  const std::size_t got = read_some(file.get(), out, path);
  std::array<std::uint8_t, 1> beyond{};
  const bool longer = read_some(file.get(), beyond, path) != 0;
  if (got != declared || longer)
    throw Error({path.string() + " does not hold what its header declares",
                 fmt::format("{} values", declared), longer ? "more" : fmt::format("{} values", got),
                 "fetch it again: remove it and run `make data`"});
}

std::filesystem::path find_idx_file(const std::filesystem::path& path) {
  std::error_code unreadable;  // a folder that may not be searched, a link to itself: no file either way
  if (std::filesystem::exists(path, unreadable)) return path;
  const std::filesystem::path zipped = path.string() + ".gz";
  if (std::filesystem::exists(zipped, unreadable)) return zipped;
  throw Error({.what = "no data file " + path.string() + " (nor with .gz)",
               .hint =
                   "`make data` fetches the data sets; --data-dir says where they are; `--dataset synthetic` "
                   "needs no files"});
}

}  // namespace lockstep::data
