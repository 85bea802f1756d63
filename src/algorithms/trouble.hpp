// SPDX-License-Identifier: BSD-3-Clause
// Numbers that stop being finite: where, and in which layer.
#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "nn/model.hpp"

namespace lockstep::algorithms {

/// What a rank saw of numbers that are not finite, at the first step where it saw any.
struct Trouble {
  std::uint32_t epoch = 0;
  std::size_t step = 0;  ///< 1 is the first of the epoch
  std::string what;      ///< "its loss is nan", "its gradient is not finite in linear1/weight (3 of 200704)"
};

/// The tensors of a model in which `values`, an array as long as its parameters, are not finite:
/// "linear1/weight (3 of 200704), linear2/bias (all)"; "" if all are finite.
[[nodiscard]] std::string non_finite_tensors(const nn::Model& model, std::span<const float> values);

}  // namespace lockstep::algorithms
