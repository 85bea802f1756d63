// SPDX-License-Identifier: BSD-3-Clause
// A calibration as tables.
#include <algorithm>
#include <iterator>
#include <string>
#include <utility>

#include <fmt/format.h>

#include "core/text.hpp"
#include "simulate/calibration.hpp"

namespace lockstep::simulate {
namespace {

// About three digits, without an exponent.
std::string three_digits(double value) {
  return fmt::format("{:.{}f}", value, value < 9.995 ? 2 : value < 99.95 ? 1 : 0);
}

std::string seconds_text(double seconds) {
  if (seconds < 1e-3) return three_digits(1e6 * seconds) + " us";
  if (seconds < 1.0) return three_digits(1e3 * seconds) + " ms";
  return three_digits(seconds) + " s";
}

std::string bytes_text(std::size_t bytes) {
  constexpr std::size_t k = 1024;
  if (bytes >= k * k) return fmt::format("{} MiB", bytes / (k * k));
  return bytes >= k ? fmt::format("{} KiB", bytes / k) : fmt::format("{} B", bytes);
}

std::string rate_text(double bytes_per_s) {
  return bytes_per_s < 1e9 ? three_digits(1e-6 * bytes_per_s) + " MB/s"
                           : three_digits(1e-9 * bytes_per_s) + " GB/s";
}

class Report {
 public:
  explicit Report(const Calibration& found) : found_(found) {}

  std::string text() {
    if (found_.within_node) series("Messages within a node", "memory_", *found_.within_node);
    if (found_.between_nodes) series("Messages between nodes", "", *found_.between_nodes);
    at_once();
    memory();
    noise();
    return std::move(text_);
  }

 private:
  template <class... Values>
  void line(fmt::format_string<const Values&...> format, const Values&... values) {
    fmt::format_to(std::back_inserter(text_), format, values...);
    text_ += '\n';
  }

  void series(const char* title, const char* prefix, const MessageSeries& series) {
    line("\n{}: rank {} on {} and rank {} on {}", title, series.pair.first,
         visible(found_.layout.hosts[series.pair.first]), series.pair.second,
         visible(found_.layout.hosts[series.pair.second]));
    line("{:>8} {:>10} {:>22} {:>10} {:>6} {:>10}", "bytes", "median", "quartiles", "line", "off",
         "both ways");
    for (std::size_t i = 0; i < series.times.size(); ++i) {
      const MessageTime& time = series.times[i];
      line("{:>8} {:>10} {:>22} {:>10} {:>6} {:>10}", bytes_text(time.bytes),
           seconds_text(time.seconds.median),
           seconds_text(time.seconds.low) + " - " + seconds_text(time.seconds.high),
           seconds_text(series.line.seconds(time.bytes)),
           fmt::format("{:+.0f}%", 100.0 * series.line.error(time)), seconds_text(series.both_ways_s[i]));
    }
    line("  line: {0}alpha_s {1} + bytes * {0}beta_s_per_byte (1 / {2})", prefix,
         seconds_text(series.line.alpha_s), rate_text(1.0 / series.line.beta_s_per_byte));
    line("  off by {:.0f}% in the median over the sizes, by {:.0f}% at most (at {})",
         100.0 * series.errors.median, 100.0 * series.errors.largest,
         bytes_text(series.errors.largest_at_bytes));
  }

  void at_once() {
    if (found_.at_once.empty()) return;
    line("\nSeveral pairs at once, messages of {}, in times of one pair alone", bytes_text(at_once_bytes));
    for (const AtOnce& row : found_.at_once)
      line("  {} ({}): {}, slowest pair {}; simulated {:.0f}", row.what, plural(row.pairs, "pair"),
           three_digits(row.times_as_long), three_digits(row.slowest), row.simulated);
  }

  void memory() {
    line("\nMemory (arrays of 64 MiB)");
    const std::size_t ranks = found_.layout.nodes.front().size();
    for (std::size_t i = 0; i < found_.streams.size(); ++i) {
      const StreamRates& row = found_.streams[i];
      const std::string all =
          ranks == 1 ? ""
                     : fmt::format(", the {} of a node at once {} together", ranks, rate_text(row.all_ranks));
      line("  {:4} ({}): one rank {}{}", row.name, streams()[i].help, rate_text(row.one_rank), all);
    }
  }

  void noise() {
    const Noise& noise = found_.noise;
    const auto [slowest, fastest] = std::ranges::minmax(noise.speeds);
    line("\nNoise ({} times the same {} of work, on each rank, all at once)", noise.quanta,
         seconds_text(noise.quantum_s));
    line("  coefficient of variation {:.1f}%; 99th percentile {} and largest {} times the median",
         100.0 * noise.cv, three_digits(noise.p99), three_digits(noise.largest));
    line("  speeds of ranks: {} to {} of the median rank's", three_digits(slowest), three_digits(fastest));
  }

  const Calibration& found_;
  std::string text_;
};

}  // namespace

std::string report(const Calibration& found) { return Report(found).text(); }

}  // namespace lockstep::simulate
