// SPDX-License-Identifier: BSD-3-Clause
// Noise and periods, change by change.
#include "simulate/course.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

#include "core/random.hpp"

namespace lockstep::simulate {
namespace {

constexpr double never = std::numeric_limits<double>::infinity();

}  // namespace

void Course::Part::toggle() {
  if (!active) ++times;
  active = !active;
  const double began_s = period.from_s + static_cast<double>(times - 1) * period.every_s;
  if (active)
    change_s = period.for_s > 0.0 ? began_s + period.for_s : never;
  else
    change_s = period.every_s > 0.0 ? began_s + period.every_s : never;
}

void Course::add(double factor, const Period& period) {
  Part part{.factor = factor, .period = period, .change_s = period.from_s};
  if (period.from_s == 0.0) part.toggle();
  parts_.push_back(part);
}

// Numbers of a core stand in rows of 64; the rest of a row is drawn again rather than kept.
void Course::draw() {
  if (noise_.mean == 0.0) return;
  constexpr std::uint32_t row = 64;
  const RandomRows rows(seed_, Purpose::simulated_noise);
  std::array<float, row> numbers{};
  const std::uint32_t at = draws_ % row;
  double extra = 0.0;
  if (noise_.distribution == "exponential") {
    rows.uniform(core_, draws_ / row, 0, numbers);
    extra = -noise_.mean * std::log(static_cast<double>(numbers[at]));
  } else {
    rows.normal(core_, draws_ / row, 0, numbers);
    const double variance = std::log1p(noise_.cv * noise_.cv);  // of the logarithm
    extra = noise_.mean * std::exp(std::sqrt(variance) * static_cast<double>(numbers[at]) - variance / 2.0);
  }
  noise_factor_ = 1.0 / (1.0 + extra);
}

Course Course::of_core(const Trouble& trouble, std::size_t node, std::size_t core) {
  Course course;
  course.noise_ = trouble.noise;
  course.seed_ = trouble.seed;
  course.core_ = static_cast<std::uint32_t>(core);
  for (const SlowNode& slow : trouble.nodes)
    if (slow.nodes.contains(node)) course.add(slow.speed, slow.period);
  course.draw();
  return course;
}

Course Course::of_cable(const Trouble& trouble, std::size_t node) {
  Course course;
  for (const BadLink& bad : trouble.links)
    if (bad.nodes.contains(node)) course.add(bad.bandwidth, bad.period);
  return course;
}

double Course::value() const {
  double value = noise_factor_;
  for (const Part& part : parts_)
    if (part.active) value *= part.factor;
  return value;
}

double Course::next_change_s() const {
  double next_s = noise_.mean > 0.0 ? (static_cast<double>(draws_) + 1.0) * noise_.period_s : never;
  for (const Part& part : parts_) next_s = std::min(next_s, part.change_s);
  return next_s;
}

void Course::advance() {
  time_s_ = next_change_s();
  if (noise_.mean > 0.0 && (static_cast<double>(draws_) + 1.0) * noise_.period_s <= time_s_) {
    ++draws_;
    draw();
  }
  for (Part& part : parts_)
    while (part.change_s <= time_s_) part.toggle();
}

}  // namespace lockstep::simulate
