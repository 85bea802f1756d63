// SPDX-License-Identifier: BSD-3-Clause
// Times of kernels, and what is made of them.
#include "simulate/kernel_clock.hpp"

#include <algorithm>

#include "core/clock.hpp"
#include "core/json.hpp"
#include "simulate/line_fit.hpp"

namespace lockstep::simulate {
namespace {

double median(const std::vector<double>& values) { return quantile(values, 0.5); }

}  // namespace

KernelClock::KernelClock() {
  constexpr std::size_t looks = 1001;
  std::vector<double> between;
  double before_s = now_s();
  for (std::size_t i = 0; i < looks; ++i) {
    const double s = now_s();
    between.push_back(s - before_s);
    before_s = s;
  }
  own_s_ = median(between);
}

bool KernelClock::begin(const Work& work) {
  current_ = work.share == 1.0 && work.count > 0 ? &seconds_[work.kernel][work.count] : nullptr;
  start_s_ = now_s();
  return true;
}

void KernelClock::end() {
  const double end_s = now_s();
  if (current_ == nullptr) return;
  current_->push_back(end_s - start_s_);
  current_ = nullptr;
}

Json KernelClock::kernels(const comm::Communicator& ranks) const {
  std::vector<double> medians;
  for (const auto& [kernel, by_count] : seconds_)
    for (const auto& [count, seconds] : by_count) medians.push_back(std::max(0.0, median(seconds) - own_s_));
  ranks.sum(medians);
  Json all = Json::object();
  std::size_t next = 0;
  for (const auto& [kernel, by_count] : seconds_)
    for (const auto& [count, seconds] : by_count)
      all[kernel].push_back({count, medians[next++] / static_cast<double>(ranks.size())});
  return all;
}

}  // namespace lockstep::simulate
