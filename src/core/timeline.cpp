// SPDX-License-Identifier: BSD-3-Clause
// Events in a buffer of fixed size.
#include "core/timeline.hpp"

#include <utility>

namespace lockstep {
namespace {

// The algorithms make 3 to 20 a step. Memory that is not used is never touched.
constexpr std::size_t events_a_step = 32;
constexpr std::size_t events_besides = 4096;

}  // namespace

Timeline::Timeline(std::size_t most_steps) : most_steps_(most_steps) {
  events_.reserve(most_steps * events_a_step + events_besides);
}

void Timeline::push(const Event& event) {
  if (events_.size() == events_.capacity()) is_full_ = true;
  if (!is_full_) events_.push_back(event);
}

void Timeline::begin_epoch(std::size_t number, double at_s) {
  if (is_full_) return;
  epoch_ = events_.size();
  push({.begin_s = at_s, .end_s = at_s, .number = static_cast<std::uint32_t>(number), .kind = Kind::epoch});
}

void Timeline::end_epoch(double at_s) {
  if (!is_full_ && epoch_ != no_epoch) events_[epoch_].end_s = at_s;
  epoch_ = no_epoch;
}

void Timeline::add_step(std::size_t number, double begin_s, double end_s) {
  if (!is_full_ && epoch_ == no_epoch) return;
  push(
      {.begin_s = begin_s, .end_s = end_s, .number = static_cast<std::uint32_t>(number), .kind = Kind::step});
  if (is_full_) {
    ++steps_left_out_;
    return;
  }
  events_[epoch_].end_s = end_s;
  if (++steps_ == most_steps_) is_full_ = true;
}

void Timeline::add_phase(Phase phase, double begin_s, double end_s) {
  if (is_full_ || epoch_ == no_epoch) return;
  events_[epoch_].end_s = end_s;
  const bool is_exchange = phase == Phase::exchange;
  // A phase that is entered again goes on, except that each exchange, and the wait for it, is its own.
  const bool may_go_on = !std::exchange(begins_step_, false) && !is_exchange && phase != Phase::wait;
  if (Event& last = events_.back();
      may_go_on && last.kind == Kind::phase && last.phase == phase && last.end_s == begin_s) {
    last.end_s = end_s;
    return;
  }
  if (is_exchange) return finish_exchange(begin_s, end_s);
  push({.begin_s = begin_s, .end_s = end_s, .phase = phase});
}

void Timeline::finish_exchange(double begin_s, double end_s) {
  const Event& last = events_.back();
  const bool waited = last.kind == Kind::phase && last.phase == Phase::wait && last.end_s == begin_s;
  const double average_begin_s = waited ? last.begin_s : begin_s;
  push({.begin_s = begin_s,
        .end_s = end_s,
        .sent_bytes = pending_.sent_bytes,
        .array_bytes = pending_.array_bytes,
        .algorithm = pending_.algorithm,
        .phase = Phase::exchange});
  if (is_average_) push({.begin_s = average_begin_s, .end_s = end_s, .kind = Kind::average});
  pending_ = {};
  is_average_ = false;
}

void Timeline::add_phase_outside(Phase phase, double begin_s, double end_s) {
  push({.begin_s = begin_s, .end_s = end_s, .phase = phase});
}

void Timeline::note_exchange(const Exchanged& what) {
  pending_.algorithm = what.algorithm;
  pending_.sent_bytes += what.sent_bytes;
  pending_.array_bytes += what.array_bytes;
}

void Timeline::clear() {
  events_.clear();
  epoch_ = no_epoch;
  steps_ = steps_left_out_ = 0;
  is_full_ = is_average_ = begins_step_ = false;
  pending_ = {};
}

}  // namespace lockstep
