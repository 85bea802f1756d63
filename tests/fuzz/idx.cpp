// SPDX-License-Identifier: BSD-3-Clause
// IDX files. The first byte chooses how the others become a file: as they are, gzipped by us, so that the
// reader behind zlib is reached, or as what stands behind the head of a gzip file.
#include "data/idx.hpp"

#include <algorithm>
#include <array>

#include <zlib.h>

#include "support/fuzz.hpp"

namespace {

using namespace lockstep;

std::vector<std::uint8_t> gzipped(std::span<const std::uint8_t> bytes) {
  constexpr int gzip = 16;  // added to the window's size: a gzip head and end, and not zlib's
  z_stream stream{};
  fuzz::require(deflateInit2(&stream, 1, Z_DEFLATED, gzip + 9, 1, Z_DEFAULT_STRATEGY) == Z_OK, "zlib begins");
  std::vector<std::uint8_t> packed(deflateBound(&stream, static_cast<uLong>(bytes.size())));
  stream.next_in = const_cast<std::uint8_t*>(bytes.data());
  stream.avail_in = static_cast<uInt>(bytes.size());
  stream.next_out = packed.data();
  stream.avail_out = static_cast<uInt>(packed.size());
  fuzz::require(deflate(&stream, Z_FINISH) == Z_STREAM_END, "zlib ends");
  packed.resize(stream.total_out);
  deflateEnd(&stream);
  return packed;
}

std::vector<std::uint8_t> file_of(std::span<const std::uint8_t> input) {
  constexpr std::array<std::uint8_t, 10> gzip_head = {0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3};
  if (input.empty()) return {};
  const auto rest = input.subspan(1);
  switch (input[0] % 3) {
    case 0:
      return {rest.begin(), rest.end()};
    case 1:
      return gzipped(rest);
    default: {
      std::vector<std::uint8_t> file(gzip_head.begin(), gzip_head.end());
      file.insert(file.end(), rest.begin(), rest.end());
      return file;
    }
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const fuzz::File file;
  const std::vector<std::uint8_t> bytes = file_of({data, size});
  file.fill(std::as_bytes(std::span(bytes)));
  fuzz::expect_errors_only([&] {
    const data::IdxHeader header = data::read_idx_header(file.path());
    std::vector<std::byte> values(header.values() * data::bytes_of(header.type));
    data::read_idx_values(file.path(), values);
  });
  fuzz::expect_errors_only([&] { (void)data::read_idx_labels(file.path()); });
  fuzz::expect_errors_only([&] { (void)data::sha256_of_file(file.path()); });
  return 0;
}
