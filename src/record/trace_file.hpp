// SPDX-License-Identifier: BSD-3-Clause
// Timelines as a file in the trace event format of Chrome and Perfetto.
#pragma once

#include <cstddef>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>

#include "core/json_fwd.hpp"
#include "core/timeline.hpp"
#include "record/atomic_file.hpp"

namespace lockstep::record {

/// Where a rank stands in a trace: a process of the format is a host, and a thread is a rank.
struct TraceRow {
  std::size_t process = 0;
  bool names_process = false;  ///< one rank of each host
  std::string host = {};
  std::size_t rank = 0;
  double origin_s = 0.0;  ///< what this rank's clock shows when that of the trace shows 0
};

/// JSON objects, separated by commas: the names of the row, and the timeline's events in the order of their
/// begins, what encloses others first. Times are whole nanoseconds, so that what is nested stays nested.
[[nodiscard]] std::string trace_events(const Timeline& timeline, const TraceRow& row);

/// Writes a trace; compressed if its name ends in .gz. Without finish() it leaves no file. Throws Error.
class TraceFile {
 public:
  explicit TraceFile(const std::filesystem::path& path);
  ~TraceFile();
  TraceFile(const TraceFile&) = delete;
  TraceFile& operator=(const TraceFile&) = delete;

  /// What trace_events() returned.
  void add(std::string_view events);
  /// `about` is an object of what a reader must know; it becomes `otherData`.
  void finish(const Json& about);

 private:
  class Compressor;

  void write(std::string_view text);
  void store(std::string_view bytes);

  PartialFile file_;
  std::size_t stored_ = 0;  // bytes
  bool is_empty_ = true;
  std::unique_ptr<Compressor> compressor_;
};

}  // namespace lockstep::record
