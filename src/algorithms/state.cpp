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

void State::add(const std::string& name, std::span<float> values, const Holding& holding) {
  if (holding.kind != Holding::Kind::divided) {
    arrays_.push_back(
        {.name = name, .values = values, .kind = holding.kind, .begin = 0, .length = values.size()});
    return;
  }
  for (std::size_t i = 0; i < holding.blocks.size(); ++i) {
    const Holding::Block& block = holding.blocks[i];
    arrays_.push_back({.name = name + "." + std::to_string(i),
                       .values = values.subspan(block.part_begin, block.part_count),
                       .kind = holding.kind,
                       .begin = block.part_begin - block.begin,
                       .length = block.count});
  }
}

}  // namespace lockstep::algorithms
