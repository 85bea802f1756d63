// SPDX-License-Identifier: BSD-3-Clause
// Weighted averages of parameters, when the trigger says so.
#include "algorithms/averaging/periodic_averaging.hpp"

#include <algorithm>
#include <cassert>

#include "comm/same_bits.hpp"
#include "comm/transfer.hpp"
#include "math/finite.hpp"

namespace lockstep::algorithms {

PeriodicAveraging::PeriodicAveraging(const AveragingPreset& preset)
    : StepwiseAlgorithm(data::Division::samples), trigger_(preset.trigger()), weight_(preset.weight()) {}

void PeriodicAveraging::describe(Options& options) {
  trigger_->describe(options);
  weight_->describe(options);
}

std::unique_ptr<Exchange> PeriodicAveraging::prepare() {
  const std::span<const float> parameters = context().parameters;
  exchanged_.resize(parameters.size() + context().layer_state.size() + 1);
  traffic_.emplace(context().ranks, context().phases);
  view_ = {.parameters = parameters, .ranks = context().ranks.size(), .any_rank = [this](bool own) {
             float ranks = own ? 1.0F : 0.0F;
             context().allreduce.sum({&ranks, 1}, *traffic_);
             return ranks > 0.0F;
           }};
  trigger_->start(parameters);
  weight_->start(parameters);
  return make_local_update(context(), plan(), {.kind = Distribution::Kind::local});
}

void PeriodicAveraging::before_epoch(std::uint32_t epoch) {
  averages_ = 0;
  traffic_->reset();
  trigger_->before_epoch(epoch);
  weight_->before_epoch();
}

void PeriodicAveraging::after_step(const data::Batch& batch) {
  trained_ += static_cast<double>(batch.sample_ids.size());
  largest_trained_ += static_cast<double>(batch.largest);
  if (trigger_->due_after_step(view_)) average();
}

void PeriodicAveraging::after_epoch(std::uint32_t epoch, bool last) {
  if (last || trigger_->due_after_epoch(epoch)) average();
}

void PeriodicAveraging::average_into(std::span<float> parameters, std::span<float> layer_state, float weight,
                                     comm::Traffic* traffic) {
  // Relative to rank 0's samples, so that equal shares weigh exactly 1.
  const auto scale = static_cast<float>(weight * trained_ / largest_trained_);
  const std::span<float> exchanged = exchanged_;
  const std::span<float> weighted_state = exchanged.subspan(parameters.size(), layer_state.size());
  comm::scale(context().parameters, scale, exchanged.first(parameters.size()));
  comm::scale(context().layer_state, scale, weighted_state);
  exchanged_.back() = scale;
  if (traffic != nullptr) {
    context().allreduce.sum(exchanged_, *traffic);
    context().phases.note_average();
  } else {
    context().phases.meet_others();
    context().allreduce.sum(exchanged_);
  }
  const float total = exchanged_.back();
  comm::divide(exchanged.first(parameters.size()), total, parameters);
  comm::divide(weighted_state, total, layer_state);
}

void PeriodicAveraging::average() {
  if (largest_trained_ == 0.0) return;
  const std::span<float> parameters = context().parameters;
  if (!math::all_finite(parameters))
    note_trouble("its parameters are not finite before an average, in " +
                 non_finite_tensors(context().model, parameters));
  if (context().ranks.size() > 1)
    average_into(parameters, context().layer_state, weight_->of(parameters), &*traffic_);
  assert(comm::ranks_that_differ(context().ranks, parameters).empty());
  trained_ = largest_trained_ = 0.0;
  ++averages_;
  trigger_->averaged(parameters);
  weight_->averaged(parameters, context().ranks.size());
}

void PeriodicAveraging::export_model(std::span<float> out) {
  const std::span<float> parameters = out.first(context().parameters.size());
  const std::span<float> layer_state = out.subspan(parameters.size());
  if (largest_trained_ == 0.0 || context().ranks.size() == 1) {
    std::ranges::copy(context().parameters, parameters.begin());
    std::ranges::copy(context().layer_state, layer_state.begin());
    return;
  }
  average_into(parameters, layer_state, weight_->of(context().parameters), nullptr);
}

std::vector<Observation> PeriodicAveraging::observations() const {
  std::vector<Observation> all = {
      {"averages", "1", "averages in this epoch", false, static_cast<double>(averages_)},
      {"sent_bytes", "bytes", "sent by the rank in this epoch", true,
       static_cast<double>(traffic_->sent_bytes())}};
  trigger_->observe(all);
  weight_->observe(all);
  return all;
}

void PeriodicAveraging::describe_variables(State& state) {
  state.add("trained", &trained_);
  state.add("largest_trained", &largest_trained_);
  state.add("averages", &averages_);
  state.add("sent_bytes", traffic_->sent_bytes_place());
  trigger_->describe_state(state);
  weight_->describe_state(state);
}

}  // namespace lockstep::algorithms
