// SPDX-License-Identifier: BSD-3-Clause
// Gathers arrays to rank 0 one at a time, and hands them out again.
#include "train/checkpointing.hpp"

#include <algorithm>
#include <functional>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "comm/transfer.hpp"
#include "core/error.hpp"
#include "core/json.hpp"
#include "core/names.hpp"
#include "core/text.hpp"
#include "record/checkpoint.hpp"

namespace lockstep::train {
namespace {

using algorithms::Distribution;
using algorithms::StateArray;

std::vector<std::size_t> shape_of(const StateArray& array, std::size_t ranks) {
  return array.kind == Distribution::Kind::local ? std::vector{ranks, array.length}
                                                 : std::vector{array.length};
}

// The part of an array in the file that a rank holds.
struct Part {
  std::size_t rank = 0, begin = 0, count = 0;
};

// One part for each rank that holds one of its own; of a replicated array rank 0's. Collective.
std::vector<Part> parts_of(const comm::Communicator& ranks, const StateArray& array) {
  if (array.kind == Distribution::Kind::replicated) return {{0, 0, array.length}};
  std::vector<Part> parts;
  if (array.kind == Distribution::Kind::local) {
    for (std::size_t rank = 0; rank < ranks.size(); ++rank)
      parts.push_back({rank, rank * array.length, array.length});
    return parts;
  }
  std::vector<double> extents(2 * ranks.size());
  extents[2 * ranks.rank()] = static_cast<double>(array.begin);
  extents[2 * ranks.rank() + 1] = static_cast<double>(array.values.size());
  ranks.sum(extents);
  for (std::size_t rank = 0; rank < ranks.size(); ++rank)
    parts.push_back(
        {rank, static_cast<std::size_t>(extents[2 * rank]), static_cast<std::size_t>(extents[2 * rank + 1])});
  return parts;
}

// Parts that make up the array, front to back: ranks of several nodes may hold the same part.
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

/// On rank 0: tries to write; after a failure it does nothing more, so that the other ranks can still send.
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
    contents.arrays.push_back({array.name, shape_of(array, ranks.size())});
  return contents;
}

// Collective over the part's rank and rank 0.
void save_part(const comm::Communicator& ranks, const StateArray& array, const Part& part, Attempt& attempt) {
  if (part.rank == 0) {
    attempt([&](auto& writer) { writer->write(array.values); });
  } else if (ranks.is_root()) {
    std::vector<float> received(part.count);
    comm::receive(ranks, received, part.rank);
    attempt([&](auto& writer) { writer->write(received); });
  } else if (ranks.rank() == part.rank) {
    comm::send(ranks, array.values, 0);
  }
}

void save_array(const comm::Communicator& ranks, const StateArray& array, Attempt& attempt) {
  const bool is_local = array.kind == Distribution::Kind::local;
  const std::size_t length = is_local ? ranks.size() * array.length : array.length;
  for (const Part& part : cover(parts_of(ranks, array), length)) save_part(ranks, array, part, attempt);
}

// On rank 0: the file must hold what the state lists, with the same names and lengths. Other numbers in the
// file were of use to the version that wrote it.
void check_contents(const record::CheckpointReader& reader, const algorithms::State& state,
                    const comm::Communicator& ranks) {
  const auto fail = [&](const std::string& what, const std::string& got) {
    throw Error({.what = reader.path().string() + " does not hold the state of this training",
                 .expected = what,
                 .got = got,
                 .hint = "another version of Lockstep wrote it; remove it to start anew"});
  };
  const record::CheckpointContents& contents = reader.contents();
  std::vector<std::string> arrays, held;  // "velocity [2, 400]"
  for (const StateArray& array : state.arrays())
    arrays.push_back(fmt::format("{} {}", array.name, shape_of(array, ranks.size())));
  for (const auto& array : contents.arrays) held.push_back(fmt::format("{} {}", array.name, array.shape));
  if (!std::ranges::is_permutation(held, arrays)) fail(join(arrays), join(held));
  const auto numbers = names_of(std::span(state.numbers())),
             held_numbers = names_of(std::span(contents.numbers));
  std::vector<std::string> unused = held_numbers;
  for (const std::string& number : numbers)
    if (std::erase(unused, number) == 0) fail(join(numbers), join(held_numbers));
  if (!unused.empty())
    fmt::print(stderr, "note: {} holds {}, which this version does not use\n",
               visible(reader.path().string()), join(unused));
}

void restore_numbers(const comm::Communicator& ranks, const algorithms::State& state,
                     const record::CheckpointReader* reader) {
  std::vector<double> of_ranks(ranks.size());
  for (const auto& number : state.numbers()) {
    if (reader) {
      const auto& held = reader->contents().numbers;
      of_ranks = std::ranges::find(held, number.name, &record::CheckpointContents::Numbers::name)->of_ranks;
    }
    if (of_ranks.size() != ranks.size())
      throw Error({.what = "a checkpoint's number " + number.name + " does not have a value for each rank",
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
  const std::vector<Part> parts = parts_of(ranks, array);
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
                            const std::filesystem::path& run_file, const Json& about,
                            std::vector<std::byte> run_file_bytes) {
  Attempt attempt(ranks.is_root());
  record::CheckpointContents contents = contents_of(ranks, state, about);
  contents.run_file = std::move(run_file_bytes);
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
  ranks.barrier();  // arrays may be in memory that other ranks read next
}

}  // namespace lockstep::train
