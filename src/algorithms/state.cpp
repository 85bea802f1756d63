// SPDX-License-Identifier: BSD-3-Clause
// Numbers as doubles, and the valid parts of arrays.
#include "algorithms/state.hpp"

#include <type_traits>

namespace lockstep::algorithms {

double StateNumber::value() const {
  return std::visit([](const auto* number) { return static_cast<double>(*number); }, place);
}

void StateNumber::set(double value) const {
  std::visit(
      [value](auto* number) { *number = static_cast<std::remove_reference_t<decltype(*number)>>(value); },
      place);
}

std::size_t Distribution::held(std::size_t length) const {
  if (kind != Kind::sharded) return length;
  std::size_t held = 0;
  for (const Block& block : blocks) held += block.part_count;
  return held;
}

void State::add(const std::string& name, std::span<float> values, const Distribution& distribution) {
  if (distribution.kind != Distribution::Kind::sharded) {
    arrays_.push_back(
        {.name = name, .values = values, .kind = distribution.kind, .begin = 0, .length = values.size()});
    return;
  }
  for (std::size_t i = 0; i < distribution.blocks.size(); ++i) {
    const Distribution::Block& block = distribution.blocks[i];
    arrays_.push_back({.name = name + "." + std::to_string(i),
                       .values = values.subspan(block.part_begin, block.part_count),
                       .kind = distribution.kind,
                       .begin = block.part_begin - block.begin,
                       .length = block.count});
  }
}

void State::add_held(const std::string& name, std::span<float> values, const Distribution& distribution) {
  Distribution held = distribution;
  std::size_t place = 0;
  for (Distribution::Block& block : held.blocks) {
    block.begin -= block.part_begin - place;  // may wrap around; only the difference to part_begin counts
    block.part_begin = place;
    place += block.part_count;
  }
  add(name, values, held);
}

}  // namespace lockstep::algorithms
