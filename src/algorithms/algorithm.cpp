// SPDX-License-Identifier: BSD-3-Clause
// The table of algorithms.
#include "algorithms/algorithm.hpp"

#include "core/names.hpp"
#include "core/options.hpp"

namespace lockstep::algorithms {

// Each line of table.def declares a factory, which the algorithm's own file defines, and makes a row.
#define ALGORITHM(name, ranks, help) std::unique_ptr<Algorithm> make_##name();
#include "algorithms/table.def"
#undef ALGORITHM

namespace {

constexpr bool many_ranks = true;
constexpr bool one_rank = false;

#define ALGORITHM(name, ranks, help) AlgorithmRow{#name, help, ranks, make_##name},
constexpr AlgorithmRow table[] = {
#include "algorithms/table.def"
};
#undef ALGORITHM

}  // namespace

void TrainingOptions::describe(Options& options) {
  options
      .add("batch_size", &batch_size,
           "samples a step: over all ranks for parallel_sgd, for each rank otherwise")
      .at_least(1)
      .at_most(1e9);
  options.add("epochs", &epochs, "passes over the training set").at_least(1).at_most(1e6);
  options.add("seed", &seed, "of weights, sample order, dropout and synthetic data");
  options
      .add("gradient", &gradient,
           "mean over the batch, or sum (then the effective rate grows with the batch)")
      .one_of({"mean", "sum"});
  options
      .add("batch_norm", &batch_norm,
           "batch_norm layers: statistics of the rank's own samples, or of the whole batch of parallel_sgd")
      .one_of({"own", "sync"});
  options.add(
      "reproducible", &reproducible,
      "the same parameters, bit for bit, on every run; of serial and parallel_sgd on 1, 2, 4 and 8 ranks");
}

float TrainingOptions::gradient_scale(std::size_t samples) const {
  return gradient == "sum" ? 1.0F : 1.0F / static_cast<float>(samples);
}

std::span<const AlgorithmRow> algorithm_table() { return table; }

const AlgorithmRow& find_algorithm(std::string_view name) {
  return find_row(algorithm_table(), "algorithm", name);
}

}  // namespace lockstep::algorithms
