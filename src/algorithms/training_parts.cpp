// SPDX-License-Identifier: BSD-3-Clause
// Model, arrays, optimizer and allreduce of one rank.
#include "algorithms/training_parts.hpp"

#include "core/platform.hpp"

namespace lockstep::algorithms {

TrainingParts::TrainingParts(
    const comm::Communicator& ranks, const data::Dataset& data, const PartsSetup& setup,
    const std::function<std::unique_ptr<comm::Allreduce>(std::size_t)>& make_allreduce)
    : ranks_(ranks),
      samples_(data.train),
      options_(setup.training),
      schedule_(setup.schedule),
      allreduce_name_(setup.allreduce),
      gemm_(math::make_gemm(setup.gemm)),
      model_(setup.model_description, {.input = data.info.shape,
                                       .classes = data.info.classes,
                                       .seed = setup.training.seed,
                                       .max_batch = setup.max_batch,
                                       .gemm = gemm_.get(),
                                       .gemm_name = setup.gemm}),
      parameters_(model_.parameter_count()),
      layer_state_(model_.state_count()),
      gradients_(model_.parameter_count()),
      optimizer_(nn::make_optimizer(setup.optimizer)),
      allreduce_([&] {
        const std::size_t length = parameters_.size() + layer_state_.size() + 1;  // an average and its weight
        return make_allreduce ? make_allreduce(length) : comm::make_allreduce(setup.allreduce, ranks, length);
      }()) {
  model_.bind(parameters_, layer_state_);
  if (platform().computes) model_.initialize();
}

TrainingContext TrainingParts::context() {
  return {.ranks = ranks_,
          .allreduce = *allreduce_,
          .allreduce_name = allreduce_name_,
          .model = model_,
          .parameters = parameters_,
          .layer_state = layer_state_,
          .gradients = gradients_,
          .optimizer = *optimizer_,
          .schedule = schedule_,
          .samples = samples_,
          .options = options_,
          .phases = phases_,
          .sum_over_ranks = {},
          .on_step = {},
          .on_last_step = {}};
}

}  // namespace lockstep::algorithms
