// SPDX-License-Identifier: BSD-3-Clause
// Monotonic time and the phase timer.
#include "core/clock.hpp"

#include "core/platform.hpp"
#include "core/timeline.hpp"

namespace lockstep {

double now_s() { return platform().now_s(); }

void PhaseTimer::restart(const PhaseSeconds& so_far) {
  seconds_ = so_far;
  current_ = Phase::data;
  entered_s_ = now_s();
  step_ = 0;
  step_times_.clear();
}

void PhaseTimer::enter(Phase phase) {
  const double now = now_s();
  seconds_[static_cast<std::size_t>(current_)] += now - entered_s_;
  if (timeline_ != nullptr) timeline_->add_phase(current_, entered_s_, now);
  current_ = phase;
  entered_s_ = now;
  publish(phase);
}

void PhaseTimer::begin_step(std::size_t number) {
  enter(Phase::data);
  end_step();
  if (timeline_ != nullptr) timeline_->begin_step();
  step_ = number;
  step_began_s_ = entered_s_;
}

void PhaseTimer::end_steps() {
  enter(current_);
  end_step();
}

void PhaseTimer::end_step() {
  if (step_ == 0) return;
  step_times_.add(entered_s_ - step_began_s_);
  if (timeline_ != nullptr) timeline_->add_step(step_, step_began_s_, entered_s_);
  step_ = 0;
}

void PhaseTimer::record_exchange(const Exchanged& what) { timeline_->note_exchange(what); }

void PhaseTimer::record_average() { timeline_->note_average(); }

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
