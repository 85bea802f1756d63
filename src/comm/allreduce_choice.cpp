// SPDX-License-Identifier: BSD-3-Clause
// The race between allreduces.
#include "comm/allreduce_choice.hpp"

#include <algorithm>
#include <limits>
#include <numeric>

#include "core/aligned.hpp"
#include "core/clock.hpp"
#include "core/platform.hpp"

namespace lockstep::comm {
namespace {

constexpr std::size_t shortest = 16;  // floats: one cache line
constexpr std::size_t ratio_of_lengths = 4;
constexpr double good_enough = 1.10;        // for the winner before
constexpr double no_worse_than_mpi = 1.05;  // for all
constexpr double far_behind = 4.0;  // a change of protocol inside the MPI library does not make up for more
constexpr double all_latency = 0.7;
constexpr double time_for_a_length_s = 1e-3;
constexpr std::size_t fewest_rounds = 5, most_rounds = 9;
// One that took this much longer than far_behind was not just disturbed: no need to ask it again.
constexpr double disturbance_s = 10e-3;
constexpr double never = std::numeric_limits<double>::infinity();

/// The entries that still take part, timed at one length.
class Round {
 public:
  Round(const Communicator& comm, std::span<const RaceEntry> entries, std::span<float> array)
      : comm_(comm),
        entries_(entries),
        array_(array),
        calls_(platform().is_simulated ? 1 : std::clamp<std::size_t>(4096 / array.size(), 1, 16)) {}

  /// Each runner's time for one call, of the slowest rank, [turn][runner]. Collective.
  [[nodiscard]] std::vector<double> run(std::span<const std::size_t> runners, std::size_t turns) const {
    std::vector<double> time_s;
    time_s.reserve(turns * runners.size());
    for (std::size_t turn = 0; turn < turns; ++turn)
      for (const std::size_t runner : runners) time_s.push_back(time(*entries_[runner].allreduce));
    comm_.max(time_s);
    return time_s;
  }
  /// How many calls are timed at once.
  [[nodiscard]] std::size_t calls() const { return calls_; }

 private:
  // The array is written anew before each sum, as a backward pass does. Where ranks have read each other's
  // arrays, a write is slow, and the next runner would pay for it. Short calls are timed several at once;
  // zeros stay zero.
  [[nodiscard]] double time(Allreduce& allreduce) const {
    std::fill(array_.begin(), array_.end(), 0.0F);
    comm_.barrier();
    const double start_s = now_s();
    for (std::size_t call = 0; call < calls_; ++call) allreduce.sum(array_);
    return (now_s() - start_s) / static_cast<double>(calls_);
  }

  const Communicator& comm_;
  std::span<const RaceEntry> entries_;
  std::span<float> array_;
  std::size_t calls_;
};

// Lower quartile of the runner's times in [turn][runner]: disturbances make times longer, never shorter, and
// of few times one in two may be disturbed.
double quartile_of(const std::vector<double>& time_s, std::size_t runner, std::size_t runners) {
  std::vector<double> own;
  for (std::size_t i = runner; i < time_s.size(); i += runners) own.push_back(time_s[i]);
  const auto quarter = own.begin() + static_cast<std::ptrdiff_t>(own.size() / 4);
  std::nth_element(own.begin(), quarter, own.end());
  return *quarter;
}

// Each entry's time at the length of `array`; `never` for those that are not among the runners. Collective.
std::vector<double> time_entries(const Communicator& comm, std::span<const RaceEntry> entries,
                                 std::span<const std::size_t> runners, std::span<float> array) {
  const Round round(comm, entries, array);
  std::vector<double> result(entries.size(), never);
  const std::vector<double> first = round.run(runners, 1);
  const double limit_s = far_behind * *std::min_element(first.begin(), first.end()) + disturbance_s;
  std::vector<std::size_t> again;
  double turn_s = 0.0;
  for (std::size_t k = 0; k < runners.size(); ++k) {
    result[runners[k]] = first[k];
    if (platform().is_simulated || first[k] > limit_s) continue;  // there a call is dear
    again.push_back(runners[k]);
    turn_s += first[k] * static_cast<double>(round.calls());
  }
  if (again.empty()) return result;
  const double turns = std::clamp(time_for_a_length_s / turn_s, static_cast<double>(fewest_rounds),
                                  static_cast<double>(most_rounds));
  const std::vector<double> time_s = round.run(again, static_cast<std::size_t>(turns));
  for (std::size_t k = 0; k < again.size(); ++k) result[again[k]] = quartile_of(time_s, k, again.size());
  return result;
}

}  // namespace

std::vector<std::size_t> race_lengths(std::size_t max_length) {
  std::vector<std::size_t> lengths;
  if (max_length == 0) return lengths;
  lengths.push_back(max_length);
  while (lengths.back() / ratio_of_lengths >= shortest) lengths.push_back(lengths.back() / ratio_of_lengths);
  return lengths;
}

std::size_t pick_winner(std::span<const double> time_s, std::size_t winner_before) {
  const auto fastest = std::min_element(time_s.begin(), time_s.end());
  const double before_s = time_s[winner_before];
  if (before_s <= good_enough * *fastest && before_s <= no_worse_than_mpi * time_s[0]) return winner_before;
  if (time_s[0] <= no_worse_than_mpi * *fastest) return 0;
  return static_cast<std::size_t>(fastest - time_s.begin());
}

bool is_hopeless(double time_s, double time_at_longer_s, double fastest_s) {
  return time_s > far_behind * fastest_s && time_s > all_latency * time_at_longer_s;
}

std::vector<RaceRange> race(const Communicator& comm, std::span<const RaceEntry> entries,
                            std::size_t max_length) {
  std::vector<RaceRange> ranges;  // descending at first
  std::vector<std::size_t> runners(entries.size());
  std::iota(runners.begin(), runners.end(), 0U);
  AlignedVector<float> zeros(max_length);
  std::vector<double> before(entries.size(), never);
  std::size_t winner = 0;
  for (const std::size_t length : race_lengths(max_length)) {
    if (runners.size() > 1) {
      const std::vector<double> now = time_entries(comm, entries, runners, std::span(zeros).first(length));
      winner = pick_winner(now, winner);
      const double fastest = *std::min_element(now.begin(), now.end());
      std::erase_if(runners, [&](std::size_t k) { return is_hopeless(now[k], before[k], fastest); });
      before = now;
    }
    // A range ends half-way (as a factor) to the next longer length that was measured.
    if (ranges.empty())
      ranges.push_back({max_length, winner});
    else if (ranges.back().winner != winner)
      ranges.push_back({2 * length, winner});
  }
  if (ranges.empty()) ranges.push_back({max_length, 0});
  std::reverse(ranges.begin(), ranges.end());
  return ranges;
}

}  // namespace lockstep::comm
