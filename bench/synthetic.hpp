// SPDX-License-Identifier: BSD-3-Clause
// The data set that benchmarks of whole epochs train on: of the size and shape of MNIST, made from nothing.
#pragma once

#include <cstddef>
#include <vector>

#include "data/dataset.hpp"

namespace lockstep::bench {

inline const data::DatasetInfo& synthetic_info() {
  static const data::DatasetInfo info = data::open_dataset({.dataset = "synthetic"})->info();
  return info;
}

/// One for all benchmarks of a program.
inline const data::Dataset& synthetic_dataset() {
  static std::vector<std::byte> block(synthetic_info().total_bytes());
  static const data::Dataset dataset = [] {
    data::open_dataset({.dataset = "synthetic"})->load(block);
    return data::view_dataset(synthetic_info(), block);
  }();
  return dataset;
}

}  // namespace lockstep::bench
