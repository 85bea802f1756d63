// SPDX-License-Identifier: BSD-3-Clause
// Weighted averages of parameters, when the trigger says so.
#include "algorithms/averaging/periodic_averaging.hpp"

#include <algorithm>

namespace lockstep::algorithms {

PeriodicAveraging::PeriodicAveraging(const AveragingPreset& preset)
    : trigger_(preset.trigger()), weight_(preset.weight()) {}

void PeriodicAveraging::describe(Fields& fields) {
  trigger_->describe(fields);
  weight_->describe(fields);
}

void PeriodicAveraging::prepare() {
  exchanged_.resize(worker().parameters.size() + 1);
  view_ = {.parameters = worker().parameters, .ranks = worker().ranks.size(), .any_rank = [this](bool own) {
             float ranks = own ? 1.0F : 0.0F;
             wait_for_ranks();
             sum_over_ranks({&ranks, 1});
             return ranks > 0.0F;
           }};
  trigger_->start(worker().parameters);
  weight_->start(worker().parameters);
}

void PeriodicAveraging::before_epoch(std::uint32_t epoch) {
  averages_ = 0;
  sent_bytes_ = 0;
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

void PeriodicAveraging::sum_over_ranks(std::span<float> inout) {
  worker().allreduce.sum(inout);
  sent_bytes_ += worker().allreduce.sent_bytes(inout.size());
}

void PeriodicAveraging::average_into(std::span<float> out, float weight) {
  // Relative to rank 0's samples, so that equal shares weigh exactly 1.
  const auto scale = static_cast<float>(weight * trained_ / largest_trained_);
  const std::span<const float> mine = worker().parameters;
  const std::size_t count = mine.size();
  for (std::size_t i = 0; i < count; ++i) exchanged_[i] = scale * mine[i];
  exchanged_[count] = scale;
  sum_over_ranks(exchanged_);
  const float total = exchanged_[count];
  for (std::size_t i = 0; i < count; ++i) out[i] = exchanged_[i] / total;
}

void PeriodicAveraging::average() {
  if (largest_trained_ == 0.0) return;
  const std::span<float> parameters = worker().parameters;
  if (worker().ranks.size() > 1) {
    const float own_weight = weight_->of(parameters);
    wait_for_ranks();
    average_into(parameters, own_weight);
  }
  trained_ = largest_trained_ = 0.0;
  ++averages_;
  trigger_->averaged(parameters);
  weight_->averaged(parameters, worker().ranks.size());
}

void PeriodicAveraging::export_parameters(std::span<float> out) {
  if (largest_trained_ == 0.0 || worker().ranks.size() == 1) {
    std::ranges::copy(worker().parameters, out.begin());
    return;
  }
  const std::size_t sent_in_training = sent_bytes_;
  average_into(out, weight_->of(worker().parameters));
  sent_bytes_ = sent_in_training;
}

std::vector<Observation> PeriodicAveraging::observations() const {
  std::vector<Observation> all = {
      {"averages", "1", "averages in this epoch", false, static_cast<double>(averages_)},
      {"sent_bytes", "bytes", "sent by the rank in this epoch", true, static_cast<double>(sent_bytes_)}};
  trigger_->observe(all);
  weight_->observe(all);
  return all;
}

void PeriodicAveraging::describe_state(State& state) {
  StepwiseAlgorithm::describe_state(state);
  state.add("trained", &trained_);
  state.add("largest_trained", &largest_trained_);
  state.add("averages", &averages_);
  state.add("sent_bytes", &sent_bytes_);
  trigger_->describe_state(state);
  weight_->describe_state(state);
}

}  // namespace lockstep::algorithms
