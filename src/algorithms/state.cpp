// SPDX-License-Identifier: BSD-3-Clause
// Numbers as doubles, and the valid parts of arrays.
#include "algorithms/state.hpp"

#include <utility>

namespace lockstep::algorithms {

double StateNumber::value() const {
  return std::visit([](const auto* number) { return static_cast<double>(*number); }, place);
}

void StateNumber::set(double value) const {
  std::visit(
      [value](auto* number) { *number = static_cast<std::remove_reference_t<decltype(*number)>>(value); },
      place);
}

void State::add(std::string name, std::span<float> values, const Holding& holding) {
  const bool divided = holding.kind == Holding::Kind::divided;
  arrays_.push_back({.name = std::move(name),
                     .values = divided ? values.subspan(holding.begin, holding.count) : values,
                     .kind = holding.kind,
                     .begin = divided ? holding.begin : 0,
                     .length = values.size()});
}

}  // namespace lockstep::algorithms
