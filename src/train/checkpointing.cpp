// SPDX-License-Identifier: BSD-3-Clause
// Gathers arrays to rank 0 one at a time, and hands them out again.
#include "train/checkpointing.hpp"

#include <algorithm>
#include <functional>
#include <numeric>
#include <optional>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "comm/transfer.hpp"
#include "core/error.hpp"
#include "core/json.hpp"
#include "core/names.hpp"
#include "record/checkpoint.hpp"

namespace lockstep::train {
namespace {

using algorithms::Distribution;
using algorithms::StateArray;

// The part of a divided array that each rank holds.
struct Part {
  std::size_t rank = 0, begin = 0, count = 0;
};

// Collective: the same on all ranks.
std::vector<Part> parts_of(const comm::Communicator& ranks, const StateArray& array) {
  std::vector<double> extents(2 * ranks.size());
  extents[2 * ranks.rank()] = static_cast<double>(array.begin);
  extents[2 * ranks.rank() + 1] = static_cast<double>(array.values.size());
  ranks.sum(extents);
  std::vector<Part> parts;
  for (std::size_t rank = 0; rank < ranks.size(); ++rank)
    parts.push_back(
        {rank, static_cast<std::size_t>(extents[2 * rank]), static_cast<std::size_t>(extents[2 * rank + 1])});
  return parts;
}

// Those of the parts that make up the array, front to back: ranks of several nodes may hold the same part.
std::vector<Part> cover(std::vector<Part> parts, std::size_t length) {
  std::ranges::stable_sort(parts, {}, &Part::begin);
  std::vector<Part> needed;
  std::size_t covered = 0;
  for (const Part& part : parts) {
    if (part.count == 0 || part.begin != covered) continue;
    needed.push_back(part);
    covered += part.count;
  }
  if (covered != length)
    throw Error({.what = "the ranks' parts do not make up an array of the state",
                 .expected = std::to_string(length) + " values",
                 .got = std::to_string(covered)});
  return needed;
}

/// On rank 0: tries to write; after a failure it does nothing more, so that the other ranks can go on
/// sending.
class Attempt {
 public:
  explicit Attempt(bool writes) : writes_(writes) {}

  void operator()(const std::function<void(std::optional<record::CheckpointWriter>&)>& action) {
    if (!writes_ || !failure_.empty()) return;
    try {
      action(writer_);
    } catch (const std::exception& failure) {
      failure_ = failure.what();
      writer_.reset();
    }
  }
  [[nodiscard]] const std::string& failure() const { return failure_; }

 private:
  bool writes_;
  std::optional<record::CheckpointWriter> writer_;
  std::string failure_;
};

// Complete on rank 0. Collective.
record::CheckpointContents contents_of(const comm::Communicator& ranks, const algorithms::State& state,
                                       const Json& about) {
  record::CheckpointContents contents{.about = about};
  std::vector<double> mine;
  for (const auto& number : state.numbers()) mine.push_back(number.value());
  const std::vector<double> all = ranks.gather(mine);
  for (std::size_t i = 0; ranks.is_root() && i < mine.size(); ++i) {
    contents.numbers.push_back({state.numbers()[i].name, {}});
    for (std::size_t rank = 0; rank < ranks.size(); ++rank)
      contents.numbers.back().of_ranks.push_back(all[rank * mine.size() + i]);
  }
  for (const StateArray& array : state.arrays())
    contents.arrays.push_back({array.name, array.kind == Distribution::Kind::local
                                               ? std::vector{ranks.size(), array.length}
                                               : std::vector{array.length}});
  return contents;
}

// Writes what rank `from` has. Collective over that rank and rank 0.
void save_part(const comm::Communicator& ranks, const StateArray& array, std::size_t from, std::size_t count,
               Attempt& attempt) {
  if (from == 0) {
    attempt([&](auto& writer) { writer->write(array.values); });
  } else if (ranks.is_root()) {
    std::vector<float> received(count);
    comm::receive(ranks, received, from);
    attempt([&](auto& writer) { writer->write(received); });
  } else if (ranks.rank() == from) {
    comm::send(ranks, array.values, 0);
  }
}

void save_array(const comm::Communicator& ranks, const StateArray& array, Attempt& attempt) {
  std::vector<Part> parts = {{0, 0, array.length}};
  if (array.kind == Distribution::Kind::sharded) {
    parts = cover(parts_of(ranks, array), array.length);
  } else if (array.kind == Distribution::Kind::local) {
    for (std::size_t rank = 1; rank < ranks.size(); ++rank) parts.push_back({rank, 0, array.length});
  }
  for (const Part& part : parts) save_part(ranks, array, part.rank, part.count, attempt);
}

// On rank 0: what the state lists must be what the file holds, name by name and length by length. Numbers
// that the file has beyond those were of use to the version that wrote it.
void check_contents(const record::CheckpointReader& reader, const algorithms::State& state,
                    const comm::Communicator& ranks) {
  const auto fail = [&](const std::string& what, const std::string& got) {
    throw Error({.what = reader.path().string() + " does not hold the state of this training",
                 .expected = what,
                 .got = got,
                 .hint = "another version of Lockstep wrote it; remove it to start anew"});
  };
  std::vector<std::string> numbers, arrays;
  for (const auto& number : state.numbers()) numbers.push_back(number.name);
  for (const auto& array : state.arrays()) arrays.push_back(array.name);
  if (const auto held = reader.array_names(); !std::ranges::is_permutation(held, arrays))
    fail(join(arrays), join(held));
  std::vector<std::string> unused = reader.number_names();
  for (const std::string& number : numbers)
    if (std::erase(unused, number) == 0) fail(join(numbers), join(reader.number_names()));
  if (!unused.empty())
    fmt::print(stderr, "note: {} holds {}, which this version does not use\n", reader.path().string(),
               join(unused));
  for (const auto& array : state.arrays()) {
    const bool own = array.kind == Distribution::Kind::local;
    const auto shape = own ? std::vector{ranks.size(), array.length} : std::vector{array.length};
    if (reader.shape(array.name) != shape) fail("the length of " + array.name, "another one");
  }
}

void restore_numbers(const comm::Communicator& ranks, const algorithms::State& state,
                     const record::CheckpointReader* reader) {
  std::vector<double> of_ranks(ranks.size());
  for (const auto& number : state.numbers()) {
    if (reader) of_ranks = reader->numbers(number.name);
    if (of_ranks.size() != ranks.size())
      throw Error({.what = "a checkpoint's number " + number.name + " is not of all ranks",
                   .expected = std::to_string(ranks.size()),
                   .got = std::to_string(of_ranks.size())});
    ranks.broadcast(of_ranks);
    number.set(of_ranks[ranks.rank()]);
  }
}

void restore_array(const comm::Communicator& ranks, const StateArray& array,
                   const record::CheckpointReader* reader) {
  if (array.kind == Distribution::Kind::replicated) {
    if (reader) reader->read(array.name, 0, array.values);
    ranks.broadcast(array.values);
    return;
  }
  std::vector<Part> parts;
  if (array.kind == Distribution::Kind::sharded)
    parts = parts_of(ranks, array);
  else
    for (std::size_t rank = 0; rank < ranks.size(); ++rank)
      parts.push_back({rank, rank * array.length, array.length});
  if (!ranks.is_root()) {
    if (!array.values.empty()) comm::receive(ranks, array.values, 0);
    return;
  }
  reader->read(array.name, parts[0].begin, array.values);
  std::vector<float> values;
  for (const Part& part : std::span(parts).subspan(1)) {
    if (part.count == 0) continue;
    values.resize(part.count);
    reader->read(array.name, part.begin, values);
    comm::send(ranks, values, part.rank);
  }
}

}  // namespace

std::string save_checkpoint(const comm::Communicator& ranks, const algorithms::State& state,
                            const std::filesystem::path& run_file, const Json& about) {
  Attempt attempt(ranks.is_root());
  const record::CheckpointContents contents = contents_of(ranks, state, about);
  attempt([&](auto& writer) { writer.emplace(record::checkpoint_path(run_file), contents); });
  for (const StateArray& array : state.arrays()) save_array(ranks, array, attempt);
  attempt([&](auto& writer) { writer->finish(record::previous_checkpoint_path(run_file)); });
  std::string failure = attempt.failure();
  ranks.broadcast(failure);
  return failure;
}

void restore_checkpoint(const comm::Communicator& ranks, const algorithms::State& state,
                        const record::CheckpointReader* checkpoint) {
  if (ranks.is_root()) check_contents(*checkpoint, state, ranks);
  restore_numbers(ranks, state, checkpoint);
  for (const StateArray& array : state.arrays()) restore_array(ranks, array, checkpoint);
  ranks.barrier();  // parts may lie in memory that others read next
}

}  // namespace lockstep::train
