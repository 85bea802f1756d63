// SPDX-License-Identifier: BSD-3-Clause
// The table of algorithms.
#include "algorithms/algorithm.hpp"

#include <array>

#include "core/names.hpp"

namespace lockstep::algorithms {
namespace {

constexpr std::array table = {
    AlgorithmRow{"serial", "minibatch SGD on one rank: the base of every speed-up", false, make_serial},
    AlgorithmRow{"parallel_sgd", "gradient averaging: ranks share each batch, gradients are all-reduced every step",
                 true, make_parallel_sgd},
    AlgorithmRow{"param_avg", "parameter averaging every avg_freq epochs or avg_steps steps", true, make_param_avg},
    AlgorithmRow{"w_param_avg", "parameter averaging that weighs down ranks which drifted far", true, make_w_param_avg},
    AlgorithmRow{"drift_avg", "parameter averaging only when a rank has drifted too far", true, make_drift_avg},
};

}  // namespace

void TrainingOptions::describe(Fields& fields) {
  fields.add("batch_size", &batch_size, "samples a step: over all ranks for parallel_sgd, for each rank otherwise")
      .at_least(1)
      .at_most(1e9);
  fields.add("epochs", &epochs, "passes over the training set").at_least(1).at_most(1e6);
  fields.add("seed", &seed, "of weights, sample order, dropout and synthetic data");
  fields.add("gradient", &gradient, "mean over the batch, or sum (then the effective rate grows with the batch)")
      .one_of({"mean", "sum"});
}

float TrainingOptions::gradient_scale(std::size_t samples) const {
  return gradient == "sum" ? 1.0F : 1.0F / static_cast<float>(samples);
}

std::span<const AlgorithmRow> algorithm_table() { return table; }

const AlgorithmRow& find_algorithm(std::string_view name) { return find_row(algorithm_table(), "algorithm", name); }

}  // namespace lockstep::algorithms
