// SPDX-License-Identifier: BSD-3-Clause
// Learning-rate schedules.
#include <algorithm>
#include <array>
#include <cmath>
#include <numbers>

#include "core/names.hpp"
#include "nn/optimizer.hpp"

namespace lockstep::nn {
namespace {

// The factor on the learning rate after `done` of `total` epochs, both counted from the end of the warm-up.
struct Row {
  std::string_view name;
  double (*factor)(const ScheduleOptions& options, double done, double total);
};

constexpr std::array table = {
    Row{"constant", [](const ScheduleOptions&, double, double) { return 1.0; }},
    Row{"step",
        [](const ScheduleOptions& options, double done, double) {
          return std::pow(options.decay_factor, std::floor(done / options.decay_epochs));
        }},
    Row{"cosine",
        [](const ScheduleOptions&, double done, double total) {
          return 0.5 * (1.0 + std::cos(std::numbers::pi * std::clamp(done / total, 0.0, 1.0)));
        }},
};

}  // namespace

void ScheduleOptions::describe(Options& options) {
  options.add("learning_rate", &learning_rate, "step size, before the schedule").above(0);
  options.add("schedule", &schedule, "the learning rate over time")
      .one_of(names_of(std::span<const Row>(table)));
  options.add("warmup_epochs", &warmup_epochs, "the rate rises from 0 over this many epochs").at_least(0);
  options.add("decay_epochs", &decay_epochs, "schedule step: epochs between decays").above(0);
  options.add("decay_factor", &decay_factor, "schedule step: factor of each decay").above(0).at_most(1);
}

double learning_rate_at(const ScheduleOptions& options, double epochs_done, double epochs) {
  if (epochs_done < options.warmup_epochs) return options.learning_rate * epochs_done / options.warmup_epochs;
  const Row& row = find_row(std::span<const Row>(table), "schedule", options.schedule);
  const double rest = std::max(epochs - options.warmup_epochs, 1e-9);
  return options.learning_rate * row.factor(options, epochs_done - options.warmup_epochs, rest);
}

}  // namespace lockstep::nn
