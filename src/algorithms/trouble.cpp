// SPDX-License-Identifier: BSD-3-Clause
// Tensors with values that are not finite.
#include "algorithms/trouble.hpp"

#include <algorithm>
#include <cmath>
#include <vector>

#include "core/names.hpp"

namespace lockstep::algorithms {

std::string non_finite_tensors(const nn::Model& model, std::span<const float> values) {
  std::vector<std::string> found;
  for (const nn::ModelTensorPlace& tensor : model.tensors()) {
    if (tensor.is_state) continue;
    const auto bad = std::ranges::count_if(values.subspan(tensor.begin, tensor.count),
                                           [](float value) { return !std::isfinite(value); });
    const auto count = static_cast<std::size_t>(bad);
    if (count == 0) continue;
    found.push_back(
        tensor.name + " (" +
        (count == tensor.count ? "all" : std::to_string(count) + " of " + std::to_string(tensor.count)) +
        ")");
  }
  return join(found);
}

}  // namespace lockstep::algorithms
