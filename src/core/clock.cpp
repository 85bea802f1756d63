// SPDX-License-Identifier: BSD-3-Clause
// Monotonic time and the phase timer.
#include "core/clock.hpp"

#include "core/platform.hpp"

namespace lockstep {

double now_s() { return platform().now_s(); }

void PhaseTimer::restart(const PhaseSeconds& so_far) {
  seconds_ = so_far;
  current_ = Phase::data;
  entered_s_ = now_s();
}

void PhaseTimer::enter(Phase phase) {
  const double now = now_s();
  seconds_[static_cast<std::size_t>(current_)] += now - entered_s_;
  current_ = phase;
  entered_s_ = now;
  publish(phase);
}

void PhaseTimer::publish(Phase phase) {
  if (published_ == nullptr) return;
  // This thread alone writes these, so that a load and a store make an increment.
  const auto increment = [](std::atomic<std::uint64_t>& count) {
    count.store(count.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
  };
  published_->phase.store(static_cast<std::uint32_t>(phase), std::memory_order_relaxed);
  if (phase == Phase::wait) {
    increment(published_->waits);
    published_->since_wait.store(0, std::memory_order_relaxed);
  } else {
    increment(published_->since_wait);
  }
  increment(published_->changes);
}

const PhaseSeconds& PhaseTimer::stop() {
  enter(current_);
  return seconds_;
}

}  // namespace lockstep
