// SPDX-License-Identifier: BSD-3-Clause
// Events as JSON text, through zlib where asked for.
#include "record/trace_file.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <iterator>
#include <limits>
#include <span>
#include <vector>

#include <fmt/format.h>
#include <zlib.h>

#include "core/error.hpp"
#include "core/json.hpp"
#include "core/json_text.hpp"

namespace lockstep::record {
namespace {

using Kind = Timeline::Kind;

std::int64_t nanoseconds(double seconds) { return std::llround(1e9 * seconds); }

// The format counts in microseconds.
std::string microseconds(std::int64_t ns) {
  const std::int64_t size = std::abs(ns);
  return fmt::format("{}{}.{:03}", ns < 0 ? "-" : "", size / 1000, size % 1000);
}

std::string metadata(std::string_view name, const TraceRow& row, const Json& args) {
  return fmt::format(R"({{"name":"{}","ph":"M","pid":{},"tid":{},"args":{}}})", name, row.process, row.rank,
                     to_text(args));
}

std::string name_of(const Timeline::Event& event) {
  switch (event.kind) {
    case Kind::epoch:
      return fmt::format("epoch {}", event.number);
    case Kind::step:
      return fmt::format("step {}", event.number);
    case Kind::average:
      return "average";
    case Kind::phase:
      break;
  }
  return std::string(phase_names[static_cast<std::size_t>(event.phase)]);
}

constexpr std::string_view category_of(Kind kind) {
  constexpr std::array<std::string_view, 4> categories = {"epoch", "step", "average", "phase"};
  return categories[static_cast<std::size_t>(kind)];
}

// What encloses others comes first: readers nest events of one begin in the order of the file.
bool comes_before(const Timeline::Event& a, const Timeline::Event& b) {
  if (a.begin_s != b.begin_s) return a.begin_s < b.begin_s;
  if (a.end_s != b.end_s) return a.end_s > b.end_s;
  return a.kind < b.kind;
}

}  // namespace

std::string trace_events(const Timeline& timeline, const TraceRow& row) {
  std::vector<Timeline::Event> events = timeline.events();
  std::ranges::stable_sort(events, comes_before);
  std::string text;
  if (row.names_process)
    text = metadata("process_name", row, {{"name", row.host}}) + ",\n" +
           metadata("process_sort_index", row, {{"sort_index", row.process}}) + ",\n";
  text += metadata("thread_name", row, {{"name", fmt::format("rank {}", row.rank)}}) + ",\n" +
          metadata("thread_sort_index", row, {{"sort_index", row.rank}});
  for (const Timeline::Event& event : events) {
    const std::int64_t begin = nanoseconds(event.begin_s - row.origin_s);
    const std::int64_t end = nanoseconds(event.end_s - row.origin_s);
    fmt::format_to(std::back_inserter(text),
                   ",\n"
                   R"({{"name":"{}","cat":"{}","ph":"X","ts":{},"dur":{},"pid":{},"tid":{})",
                   name_of(event), category_of(event.kind), microseconds(begin), microseconds(end - begin),
                   row.process, row.rank);
    if (!event.algorithm.empty())
      fmt::format_to(std::back_inserter(text),
                     R"(,"args":{{"algorithm":"{}","array_bytes":{},"sent_bytes":{}}})", event.algorithm,
                     event.array_bytes, event.sent_bytes);
    text += '}';
  }
  return text;
}

/// A gzip stream.
class TraceFile::Compressor {
 public:
  Compressor() {
    constexpr int gzip_window_bits = 15 + 16, memory_level = 8;
    if (deflateInit2(&stream_, Z_DEFAULT_COMPRESSION, Z_DEFLATED, gzip_window_bits, memory_level,
                     Z_DEFAULT_STRATEGY) != Z_OK)
      throw Error({.what = "zlib cannot compress a trace"});
  }
  ~Compressor() { deflateEnd(&stream_); }
  Compressor(const Compressor&) = delete;
  Compressor& operator=(const Compressor&) = delete;

  /// Calls store(bytes) with what comes out; all of it, if this is the last text.
  template <class Store>
  void add(std::string_view text, bool is_last, const Store& store) {
    constexpr std::size_t most = std::numeric_limits<uInt>::max();
    do {
      const std::string_view part = text.substr(0, most);
      text.remove_prefix(part.size());
      // zlib does not write there.
      stream_.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(part.data()));
      stream_.avail_in = static_cast<uInt>(part.size());
      const int flush = is_last && text.empty() ? Z_FINISH : Z_NO_FLUSH;
      do {
        stream_.next_out = reinterpret_cast<Bytef*>(out_.data());
        stream_.avail_out = static_cast<uInt>(out_.size());
        deflate(&stream_, flush);
        store(std::string_view(out_.data(), out_.size() - stream_.avail_out));
      } while (stream_.avail_out == 0);
    } while (!text.empty());
  }

 private:
  z_stream stream_{};
  std::vector<char> out_ = std::vector<char>(std::size_t{1} << 18U);
};

TraceFile::TraceFile(const std::filesystem::path& path)
    : file_(path), compressor_(path.extension() == ".gz" ? std::make_unique<Compressor>() : nullptr) {
  write("{\"displayTimeUnit\":\"ms\",\"traceEvents\":[\n");
}

TraceFile::~TraceFile() = default;

void TraceFile::add(std::string_view events) {
  if (!is_empty_) write(",\n");
  is_empty_ = false;
  write(events);
}

void TraceFile::finish(const Json& about) {
  write("\n],\"otherData\":" + to_text(about) + "}\n");
  if (compressor_) compressor_->add("", true, [&](std::string_view bytes) { store(bytes); });
  file_.finish(Durability::survives_kill);
}

void TraceFile::write(std::string_view text) {
  if (!compressor_) return store(text);
  compressor_->add(text, false, [&](std::string_view bytes) { store(bytes); });
}

void TraceFile::store(std::string_view bytes) {
  file_.write_at(stored_, std::as_bytes(std::span(bytes)));
  stored_ += bytes.size();
}

}  // namespace lockstep::record
