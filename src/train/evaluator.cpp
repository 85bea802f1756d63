// SPDX-License-Identifier: BSD-3-Clause
// Evaluation in batches, summed over the ranks.
#include "train/evaluator.hpp"

#include <algorithm>
#include <array>
#include <numeric>

#include "data/batches.hpp"

namespace lockstep::train {

Evaluator::Evaluator(const comm::Communicator& ranks, const data::Samples& test, std::size_t max_batch,
                     nn::Model& model, PhaseTimer& phases)
    : ranks_(ranks),
      test_(test),
      model_(model),
      phases_(phases),
      ids_(max_batch),
      inputs_(max_batch * test.inputs.width),
      targets_(max_batch * test.targets.width),
      exported_(model.parameter_count() + model.state_count()) {}

std::span<const float> Evaluator::exported(algorithms::Algorithm& algorithm) {
  algorithm.export_model(exported_);
  return exported_;
}

TestResult Evaluator::evaluate(algorithms::Algorithm& algorithm) {
  (void)exported(algorithm);
  const std::span<float> parameters = model_.parameters(), layer_state = model_.layer_state();
  model_.bind(std::span(exported_).first(parameters.size()), std::span(exported_).subspan(parameters.size()));
  const TestResult result = evaluate(ranks_);
  model_.bind(parameters, layer_state);
  return result;
}

void Evaluator::evaluate_own() {
  if (!alone_) return;
  own_accuracy_ = evaluate(*alone_).accuracy;
  phases_.meet_others();
  ranks_.barrier();
  phases_.enter(Phase::update);
}

TestResult Evaluator::evaluate(const comm::Communicator& ranks) {
  const data::Range mine = data::share(test_.count, ranks.rank(), ranks.size());
  std::array<double, 2> loss_and_correct{};
  for (std::size_t at = mine.begin; at < mine.end; at += ids_.size()) {
    phases_.enter(Phase::evaluate);  // each batch is a sign of progress
    const std::size_t count = std::min(ids_.size(), mine.end - at);
    const auto ids = std::span(ids_).first(count);
    std::iota(ids.begin(), ids.end(), static_cast<std::uint32_t>(at));
    const math::Matrix inputs(inputs_.data(), count, test_.inputs.width);
    const auto targets = std::span(targets_).first(count * test_.targets.width);
    if (const Working working([&] {
          return data::gather_work(test_, count, {0, test_.inputs.width});
        });
        working)
      data::gather(test_, ids, inputs, targets);
    const nn::Evaluation found = model_.evaluate({inputs, targets});
    loss_and_correct[0] += found.loss_sum;
    loss_and_correct[1] += static_cast<double>(found.correct);
  }
  if (ranks.size() > 1) phases_.meet_others();
  ranks.sum(loss_and_correct);
  const auto total = static_cast<double>(test_.count);
  return {.loss = loss_and_correct[0] / total, .accuracy = loss_and_correct[1] / total};
}

}  // namespace lockstep::train
