// SPDX-License-Identifier: BSD-3-Clause
// Initial weights, as functions of the seed.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace lockstep::nn {

/// Names of the initialisers: "xavier" (Glorot & Bengio 2010: normal, variance 2 / (n_in + n_out)) and "he"
/// (He et al. 2015: normal, variance 2 / n_in).
[[nodiscard]] std::vector<std::string> initializer_names();

/// Fills `weights` by the initialiser called `name`; `layer` separates the random numbers of a model's
/// layers.
void initialize_weights(const std::string& name, std::uint32_t seed, std::uint32_t layer, std::size_t n_in,
                        std::size_t n_out, std::span<float> weights);

}  // namespace lockstep::nn
