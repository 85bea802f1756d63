// SPDX-License-Identifier: BSD-3-Clause
// The allreduce that measures the others and takes the fastest.
#include <algorithm>

#include "comm/allreduce_algorithms.hpp"
#include "comm/allreduce_choice.hpp"
#include "comm/transfer.hpp"

namespace lockstep::comm {
namespace {

// The rows that can and need be compared on these ranks, `mpi` first. Collective.
std::vector<RaceEntry> make_entries(const Communicator& comm, std::size_t max_length) {
  const NodeLayout layout = node_layout(comm);
  std::vector<RaceEntry> entries;
  for (const AllreduceRow& row : allreduce_table()) {
    if (row.make == make_auto_allreduce || !row.suits(layout)) continue;
    entries.push_back({&row, row.make(comm, max_length)});
    if (comm.size() == 1) break;  // nothing is exchanged, so there is nothing to compare
  }
  return entries;
}

/// Measured, not guessed: at its creation the rows that these ranks can use are timed at lengths up to
/// max_length, and each sum() goes to the row that won at the nearest of them. Collective.
/// Steps and bytes per rank: those of the row; the same row on all ranks, so results are bitwise the same.
/// Any P, any length. Creation takes up to some 20 ms for a megabyte and, while it lasts, the buffers of all
/// rows; after it only winners are kept, with buffers for the lengths that they have won.
class AutoAllreduce final : public Allreduce {
 public:
  AutoAllreduce(const Communicator& comm, std::size_t max_length) : max_length_(max_length) {
    std::vector<RaceEntry> entries = make_entries(comm, max_length);
    const std::vector<RaceRange> ranges = race(comm, entries, max_length);
    take(comm, entries, ranges);
  }

  // By ranges that are known; the entries are rows without an allreduce.
  AutoAllreduce(const Communicator& comm, std::size_t max_length, std::vector<RaceEntry> entries,
                std::span<const RaceRange> ranges)
      : max_length_(max_length) {
    take(comm, entries, ranges);
  }

  void sum(std::span<float> inout) override {
    check_length(inout.size(), max_length_);
    range_of(inout.size()).allreduce->sum(inout);
  }

  [[nodiscard]] std::string_view name(std::size_t length) const override { return range_of(length).name; }
  [[nodiscard]] std::size_t sent_bytes(std::size_t length) const override {
    return range_of(length).allreduce->sent_bytes(length);
  }

  [[nodiscard]] std::vector<AllreduceChoice> choices() const override {
    std::vector<AllreduceChoice> all;
    for (const Range& range : ranges_) all.push_back({range.up_to * sizeof(float), range.name});
    return all;
  }

 private:
  struct Range {
    std::size_t up_to;  // floats
    std::string_view name;
    Allreduce* allreduce;  // among the winners
  };

  [[nodiscard]] const Range& range_of(std::size_t length) const {
    for (const Range& range : ranges_)
      if (length <= range.up_to) return range;
    return ranges_.back();
  }

  void take(const Communicator& comm, std::vector<RaceEntry>& entries, std::span<const RaceRange> ranges) {
    for (std::size_t k = 0; k < entries.size(); ++k)
      if (k != ranges.back().winner) entries[k].allreduce.reset();
    for (auto range = ranges.rbegin(); range != ranges.rend(); ++range) {  // a row's longest range first
      RaceEntry& entry = entries[range->winner];
      if (!entry.allreduce) entry.allreduce = entry.row->make(comm, range->up_to);
    }
    for (const RaceRange& range : ranges)
      ranges_.push_back(
          {range.up_to, entries[range.winner].row->name, entries[range.winner].allreduce.get()});
    for (RaceEntry& entry : entries)
      if (entry.allreduce) winners_.push_back(std::move(entry.allreduce));
  }

  std::size_t max_length_;
  std::vector<Range> ranges_;  // ascending
  std::vector<std::unique_ptr<Allreduce>> winners_;
};

}  // namespace

std::unique_ptr<Allreduce> make_auto_allreduce(const Communicator& comm, std::size_t max_length) {
  return std::make_unique<AutoAllreduce>(comm, max_length);
}

std::unique_ptr<Allreduce> make_chosen_allreduce(const std::vector<AllreduceChoice>& choices,
                                                 const Communicator& comm, std::size_t max_length) {
  const NodeLayout layout = node_layout(comm);
  std::vector<RaceEntry> entries;
  std::vector<RaceRange> ranges;
  for (const AllreduceChoice& choice : choices) {
    const auto row = std::ranges::find(allreduce_table(), choice.name, &AllreduceRow::name);
    if (row == allreduce_table().end() || row->make == make_auto_allreduce || !row->suits(layout)) return {};
    auto entry = std::ranges::find(entries, &*row, &RaceEntry::row);
    if (entry == entries.end()) entry = entries.insert(entries.end(), RaceEntry{&*row, nullptr});
    ranges.push_back({choice.up_to_bytes / sizeof(float), static_cast<std::size_t>(entry - entries.begin())});
  }
  if (ranges.empty() || ranges.back().up_to != max_length) return {};
  return std::make_unique<AutoAllreduce>(comm, max_length, std::move(entries), ranges);
}

}  // namespace lockstep::comm
