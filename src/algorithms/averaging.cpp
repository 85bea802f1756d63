// SPDX-License-Identifier: BSD-3-Clause
// Weighted parameter averages.
#include "algorithms/averaging.hpp"

#include <algorithm>
#include <cmath>

namespace lockstep::algorithms {

void AveragingAlgorithm::prepare() { exchanged_.resize(worker().parameters.size() + 1); }

void AveragingAlgorithm::before_epoch() {
  averages_ = 0;
  sent_bytes_ = 0;
}

void AveragingAlgorithm::after_step(const data::Batch& batch) {
  trained_ += static_cast<double>(batch.sample_ids.size());
  largest_trained_ += static_cast<double>(batch.largest);
}

void AveragingAlgorithm::after_epoch(std::uint32_t /*epoch*/, bool last) {
  if (last) average();
}

void AveragingAlgorithm::sum_over_ranks(std::span<float> inout) {
  worker().allreduce.sum(inout);
  sent_bytes_ += worker().allreduce.sent_bytes(inout.size());
}

void AveragingAlgorithm::average_into(std::span<float> out, float weight) {
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

void AveragingAlgorithm::average() {
  if (largest_trained_ == 0.0) return;
  if (worker().ranks.size() > 1) {
    const float own_weight = weight();
    wait_for_ranks();
    average_into(worker().parameters, own_weight);
  }
  trained_ = largest_trained_ = 0.0;
  ++averages_;
  averaged();
}

void AveragingAlgorithm::export_parameters(std::span<float> out) {
  if (largest_trained_ == 0.0 || worker().ranks.size() == 1) {
    std::ranges::copy(worker().parameters, out.begin());
    return;
  }
  const std::size_t sent_in_training = sent_bytes_;
  average_into(out, weight());
  sent_bytes_ = sent_in_training;
}

std::vector<Observation> AveragingAlgorithm::observations() const {
  return {{"averages", "1", "averages in this epoch", false, static_cast<double>(averages_)},
          {"sent_bytes", "bytes", "sent by the rank in this epoch", true, static_cast<double>(sent_bytes_)}};
}

void AveragingAlgorithm::describe_state(State& state) {
  StepwiseAlgorithm::describe_state(state);
  state.add("trained", &trained_);
  state.add("largest_trained", &largest_trained_);
  state.add("averages", &averages_);
  state.add("sent_bytes", &sent_bytes_);
}

double relative_distance(std::span<const float> a, std::span<const float> b) {
  // Eight partial sums: vector code, and less rounding than one long sum.
  constexpr std::size_t lanes = 8;
  double distance[lanes] = {};
  double norm_a[lanes] = {};
  double norm_b[lanes] = {};
  const auto add = [&](std::size_t i, std::size_t lane) {
    const double x = a[i];
    const double y = b[i];
    distance[lane] += (x - y) * (x - y);
    norm_a[lane] += x * x;
    norm_b[lane] += y * y;
  };
  std::size_t i = 0;
  for (; i + lanes <= a.size(); i += lanes)
    for (std::size_t lane = 0; lane < lanes; ++lane) add(i + lane, lane);
  for (; i < a.size(); ++i) add(i, 0);
  for (std::size_t lane = 1; lane < lanes; ++lane) {
    distance[0] += distance[lane];
    norm_a[0] += norm_a[lane];
    norm_b[0] += norm_b[lane];
  }
  const double norms = std::sqrt(norm_a[0]) + std::sqrt(norm_b[0]);
  return norms == 0.0 ? 0.0 : std::sqrt(distance[0]) / norms;
}

}  // namespace lockstep::algorithms
