// SPDX-License-Identifier: BSD-3-Clause
// IDX through zlib, which reads plain files as they are.
#include "data/idx.hpp"

#include <algorithm>
#include <array>
#include <fstream>
#include <memory>

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <zlib.h>

#include "core/error.hpp"
#include "core/sha256.hpp"

namespace lockstep::data {
namespace {

// Types of values, as the third byte of a file has them.
constexpr std::uint8_t unsigned_byte_type = 0x08;
constexpr std::uint8_t int_type = 0x0c;  // 32 bits, big-endian
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

struct Header {
  std::size_t value_bytes = 1;
  std::vector<std::size_t> dimensions;
  std::size_t bytes = 0;  // of the header itself

  [[nodiscard]] std::size_t values() const {
    std::size_t product = 1;
    for (const std::size_t dimension : dimensions) product *= dimension;
    return product;
  }
  [[nodiscard]] std::string text() const { return fmt::format("{}", fmt::join(dimensions, " x ")); }
};

Error other_size(const std::filesystem::path& path, const std::string& declared, const std::string& got) {
  return Error({path.string() + " does not hold what its header declares", declared, got,
                "fetch it again: remove it and run `make data`"});
}

// How many bytes the file holds unzipped, modulo 2^32 where it is zipped (RFC 1952: the last four bytes);
// so a header that promises what is not there is found before memory is taken for it.
std::size_t size_hint(const std::filesystem::path& path, bool zipped) {
  std::ifstream file(path, std::ios::binary | std::ios::ate);
  const auto bytes = static_cast<std::size_t>(std::max<std::streamoff>(file.tellg(), 0));
  if (!zipped || bytes < 4) return bytes;
  std::array<unsigned char, 4> last{};
  file.seekg(-4, std::ios::end);
  file.read(reinterpret_cast<char*>(last.data()), last.size());
  return last[0] | (std::size_t{last[1]} << 8) | (std::size_t{last[2]} << 16) | (std::size_t{last[3]} << 24);
}

Header read_header(gzFile_s* file, const std::filesystem::path& path) {
  std::array<std::uint8_t, 4> magic{};
  const bool whole = read_some(file, magic, path) == magic.size();
  const bool known = magic[2] == unsigned_byte_type || magic[2] == int_type;
  if (!whole || magic[0] != 0 || magic[1] != 0 || !known || magic[3] == 0 || magic[3] > 4)
    throw Error({path.string() + " is not an IDX file of bytes or 32-bit numbers",
                 "first four bytes 00 00 08 (or 0c) and a dimension count",
                 fmt::format("{:02x} {:02x} {:02x} {:02x}", magic[0], magic[1], magic[2], magic[3])});
  Header header{.value_bytes = magic[2] == int_type ? 4U : 1U, .dimensions = {}, .bytes = 4U + 4U * magic[3]};
  double bytes = static_cast<double>(header.bytes);
  double values = 1;
  for (int i = 0; i < magic[3]; ++i) {
    std::array<std::uint8_t, 4> size{};
    if (read_some(file, size, path) != size.size())
      throw Error({.what = path.string() + " ends within its header"});
    header.dimensions.push_back((std::size_t{size[0]} << 24) | (std::size_t{size[1]} << 16) |
                                (std::size_t{size[2]} << 8) | size[3]);
    values *= static_cast<double>(header.dimensions.back());
  }
  bytes += values * static_cast<double>(header.value_bytes);
  constexpr double most_bytes = 1e15;  // beyond any disk; and all sizes below are exact as doubles
  const bool zipped = gzdirect(file) == 0;
  const std::size_t hint = size_hint(path, zipped);
  constexpr double most_unzipped = 1040;  // bytes from one, which DEFLATE cannot exceed
  const double most = most_unzipped * static_cast<double>(std::filesystem::file_size(path));
  bool fits = bytes < most_bytes;
  if (fits && zipped)
    fits = bytes <= most && static_cast<std::size_t>(bytes) % (std::size_t{1} << 32) == hint;
  else if (fits)
    fits = static_cast<std::size_t>(bytes) == hint;
  if (!fits)
    throw other_size(path, fmt::format("{} values, {:.0f} bytes with the header", header.text(), bytes),
                     fmt::format("{} bytes{}", hint, zipped ? " unzipped" : ""));
  return header;
}

// All values as they are in the file.
void read_values(gzFile_s* file, std::span<std::uint8_t> out, const std::filesystem::path& path) {
  const std::size_t got = read_some(file, out, path);
  std::array<std::uint8_t, 1> beyond{};
  const bool longer = read_some(file, beyond, path) != 0;
  if (got != out.size() || longer)
    throw other_size(path, fmt::format("{} bytes of values", out.size()),
                     longer ? "more" : fmt::format("{} bytes", got));
}

}  // namespace

std::vector<std::size_t> read_idx_dimensions(const std::filesystem::path& path) {
  const GzFile file = open(path);
  const Header header = read_header(file.get(), path);
  if (header.value_bytes != 1)
    throw Error({path.string() + " holds 32-bit numbers", "bytes (type 08)", "type 0c"});
  return header.dimensions;
}

void read_idx_values(const std::filesystem::path& path, std::span<std::uint8_t> out) {
  const GzFile file = open(path);
  const Header header = read_header(file.get(), path);
  if (header.values() * header.value_bytes != out.size())
    throw Error({path.string() + " has another size than expected", fmt::format("{} bytes", out.size()),
                 fmt::format("{} bytes", header.values() * header.value_bytes)});
  read_values(file.get(), out, path);
}

std::string sha256_of_file(const std::filesystem::path& path) {
  const GzFile file = open(path);
  Sha256 checksum;
  std::vector<std::uint8_t> bytes(read_buffer_bytes);
  while (const std::size_t got = read_some(file.get(), bytes, path))
    checksum.add(std::as_bytes(std::span(bytes).first(got)));
  return checksum.hex();
}

std::vector<std::uint32_t> read_idx_labels(const std::filesystem::path& path) {
  const GzFile file = open(path);
  const Header header = read_header(file.get(), path);
  if (header.dimensions.size() > 2 || (header.dimensions.size() == 2 && header.dimensions[1] == 0))
    throw Error({path.string() + " holds no labels", "as many numbers as there are images, or a row for each",
                 header.text() + " values"});
  std::vector<std::uint8_t> bytes(header.values() * header.value_bytes);
  read_values(file.get(), bytes, path);
  const std::size_t row_bytes =
      header.value_bytes * (header.dimensions.size() == 2 ? header.dimensions[1] : 1);
  std::vector<std::uint32_t> labels(header.dimensions[0]);
  for (std::size_t i = 0; i < labels.size(); ++i)
    for (std::size_t byte = 0; byte < header.value_bytes; ++byte)
      labels[i] = (labels[i] << 8) | bytes[i * row_bytes + byte];
  return labels;
}

}  // namespace lockstep::data
