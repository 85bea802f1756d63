// SPDX-License-Identifier: BSD-3-Clause
// The shape of one sample or of one layer's output for one sample.
#pragma once

#include <cstddef>
#include <string>

namespace lockstep {

/// Channels x height x width, stored in that order. A flat vector of n numbers is {n, 1, 1}.
struct SampleShape {
  std::size_t channels = 1;
  std::size_t height = 1;
  std::size_t width = 1;

  [[nodiscard]] std::size_t size() const { return channels * height * width; }
  [[nodiscard]] bool is_flat() const { return height == 1 && width == 1; }
  bool operator==(const SampleShape&) const = default;
};

/// "6x14x14", or "400" for a flat shape.
[[nodiscard]] inline std::string to_string(const SampleShape& shape) {
  if (shape.is_flat()) return std::to_string(shape.channels);
  return std::to_string(shape.channels) + "x" + std::to_string(shape.height) + "x" +
         std::to_string(shape.width);
}

}  // namespace lockstep
