// SPDX-License-Identifier: BSD-3-Clause
// Averages on a schedule: every so many epochs, every so many steps, or once at the end.
#include "algorithms/averaging/trigger.hpp"

namespace lockstep::algorithms {
namespace {

/// The old interface's -avg_freq is avg_freq.
class ScheduledTrigger final : public Trigger {
 public:
  void describe(Options& options) override {
    options.add("avg_freq", &avg_freq_, "average every k epochs; 0 = only once, at the end of training");
    options.add("avg_steps", &avg_steps_, "average every H steps instead; 0 = by avg_freq");
  }
  void describe_state(State& state) override { state.add("steps_since_average", &steps_); }

  [[nodiscard]] bool due_after_step(const TriggerView& /*view*/) override {
    if (avg_steps_ == 0 || ++steps_ < avg_steps_) return false;
    steps_ = 0;
    return true;
  }
  [[nodiscard]] bool due_after_epoch(std::uint32_t epoch) const override {
    return avg_steps_ == 0 && avg_freq_ != 0 && (epoch + std::size_t{1}) % avg_freq_ == 0;
  }

 private:
  std::size_t avg_freq_ = 1;
  std::size_t avg_steps_ = 0;
  std::size_t steps_ = 0;
};

}  // namespace

std::unique_ptr<Trigger> make_scheduled_trigger() { return std::make_unique<ScheduledTrigger>(); }

}  // namespace lockstep::algorithms
