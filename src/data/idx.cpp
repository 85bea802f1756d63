// SPDX-License-Identifier: BSD-3-Clause
// IDX through zlib, which reads plain files as they are.
#include "data/idx.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <fstream>
#include <functional>
#include <memory>
#include <numeric>
#include <type_traits>

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <zlib.h>

#include "core/error.hpp"
#include "core/sha256.hpp"

namespace lockstep::data {
namespace {

// Types of values, as the third byte of a file has them.
struct TypeCode {
  std::uint8_t code;
  ValueType type;
};
constexpr std::array<TypeCode, 6> type_codes = {{{0x08, ValueType::uint8},
                                                 {0x09, ValueType::int8},
                                                 {0x0b, ValueType::int16},
                                                 {0x0c, ValueType::int32},
                                                 {0x0d, ValueType::float32},
                                                 {0x0e, ValueType::float64}}};
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
std::size_t read_some(gzFile_s* file, std::span<std::byte> out, const std::filesystem::path& path) {
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

std::string text_of(const IdxHeader& header) {
  return fmt::format("{}", fmt::join(header.dimensions, " x "));
}

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

IdxHeader read_header(gzFile_s* file, const std::filesystem::path& path) {
  std::array<std::uint8_t, 4> magic{};
  const bool whole = read_some(file, std::as_writable_bytes(std::span(magic)), path) == magic.size();
  const auto* const known = std::ranges::find(type_codes, magic[2], &TypeCode::code);
  if (!whole || magic[0] != 0 || magic[1] != 0 || known == type_codes.end() || magic[3] == 0 || magic[3] > 4)
    throw Error({path.string() + " is not an IDX file",
                 "first four bytes 00 00, a type (08, 09, 0b, 0c, 0d or 0e) and a dimension count of 1 to 4",
                 fmt::format("{:02x} {:02x} {:02x} {:02x}", magic[0], magic[1], magic[2], magic[3])});
  IdxHeader header{.type = known->type, .dimensions = {}};
  double values = 1;
  for (int i = 0; i < magic[3]; ++i) {
    std::array<std::uint8_t, 4> size{};
    if (read_some(file, std::as_writable_bytes(std::span(size)), path) != size.size())
      throw Error({.what = path.string() + " ends within its header"});
    header.dimensions.push_back((std::size_t{size[0]} << 24) | (std::size_t{size[1]} << 16) |
                                (std::size_t{size[2]} << 8) | size[3]);
    values *= static_cast<double>(header.dimensions.back());
  }
  const double bytes = 4.0 + 4.0 * magic[3] + values * static_cast<double>(bytes_of(header.type));
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
    throw other_size(path, fmt::format("{} values, {:.0f} bytes with the header", text_of(header), bytes),
                     fmt::format("{} bytes{}", hint, zipped ? " unzipped" : ""));
  return header;
}

// All values, in the processor's byte order.
void read_values(gzFile_s* file, ValueType type, std::span<std::byte> out,
                 const std::filesystem::path& path) {
  const std::size_t got = read_some(file, out, path);
  std::array<std::byte, 1> beyond{};
  const bool longer = read_some(file, beyond, path) != 0;
  if (got != out.size() || longer)
    throw other_size(path, fmt::format("{} bytes of values", out.size()),
                     longer ? "more" : fmt::format("{} bytes", got));
  if constexpr (std::endian::native == std::endian::little)
    with_type(type, [&](auto zero) {
      using T = decltype(zero);
      if constexpr (sizeof(T) > 1)
        for (std::size_t at = 0; at < out.size(); at += sizeof(T))
          std::ranges::reverse(out.subspan(at).template first<sizeof(T)>());
    });
}

}  // namespace

std::size_t IdxHeader::values() const {
  return std::accumulate(dimensions.begin(), dimensions.end(), std::size_t{1}, std::multiplies<>());
}

IdxHeader read_idx_header(const std::filesystem::path& path) { return read_header(open(path).get(), path); }

void read_idx_values(const std::filesystem::path& path, std::span<std::byte> out) {
  const GzFile file = open(path);
  const IdxHeader header = read_header(file.get(), path);
  if (const std::size_t bytes = header.values() * bytes_of(header.type); bytes != out.size())
    throw Error({path.string() + " has another size than expected", fmt::format("{} bytes", out.size()),
                 fmt::format("{} bytes", bytes)});
  read_values(file.get(), header.type, out, path);
}

std::string sha256_of_file(const std::filesystem::path& path) {
  const GzFile file = open(path);
  Sha256 checksum;
  std::vector<std::byte> bytes(read_buffer_bytes);
  while (const std::size_t got = read_some(file.get(), bytes, path))
    checksum.add(std::span(bytes).first(got));
  return checksum.hex();
}

std::vector<std::int32_t> read_idx_labels(const std::filesystem::path& path) {
  const GzFile file = open(path);
  const IdxHeader header = read_header(file.get(), path);
  if (header.dimensions.size() > 2 || (header.dimensions.size() == 2 && header.dimensions[1] == 0))
    throw Error({path.string() + " holds no labels", "as many numbers as there are images, or a row for each",
                 text_of(header) + " values"});
  const std::size_t width = header.dimensions.size() == 2 ? header.dimensions[1] : 1;
  std::vector<std::int32_t> labels(header.dimensions[0]);
  with_type(header.type, [&](auto zero) {
    using T = decltype(zero);
    if constexpr (std::is_floating_point_v<T>)
      throw Error({path.string() + " holds no labels", "integers", "floating-point numbers"});
    std::vector<T> values(header.values());
    read_values(file.get(), header.type, std::as_writable_bytes(std::span(values)), path);
    for (std::size_t i = 0; i < labels.size(); ++i) labels[i] = static_cast<std::int32_t>(values[i * width]);
  });
  return labels;
}

}  // namespace lockstep::data
