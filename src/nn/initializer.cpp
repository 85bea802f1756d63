// SPDX-License-Identifier: BSD-3-Clause
// Xavier and He initialisation.
#include "nn/initializer.hpp"

#include <array>
#include <cmath>

#include "core/names.hpp"
#include "core/random.hpp"

namespace lockstep::nn {
namespace {

struct Row {
  std::string_view name;
  double (*variance)(double n_in, double n_out);
};

constexpr std::array table = {
    Row{"xavier", [](double n_in, double n_out) { return 2.0 / (n_in + n_out); }},
    Row{"he", [](double n_in, double /*n_out*/) { return 2.0 / n_in; }},
};

}  // namespace

std::vector<std::string> initializer_names() { return names_of(std::span<const Row>(table)); }

void initialize_weights(const std::string& name, std::uint32_t seed, std::uint32_t layer, std::size_t n_in,
                        std::size_t n_out, std::span<float> weights) {
  const Row& row = find_row(std::span<const Row>(table), "initialiser", name);
  const auto deviation =
      static_cast<float>(std::sqrt(row.variance(static_cast<double>(n_in), static_cast<double>(n_out))));
  RandomRows(seed, Purpose::initial_weights).normal(layer, 0, 0, weights);
  for (float& weight : weights) weight *= deviation;
}

}  // namespace lockstep::nn
