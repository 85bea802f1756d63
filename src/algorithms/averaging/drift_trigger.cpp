// SPDX-License-Identifier: BSD-3-Clause
// Averages when a rank has drifted too far.
#include "algorithms/averaging/drift.hpp"
#include "algorithms/averaging/trigger.hpp"
#include "algorithms/epoch_mean.hpp"

namespace lockstep::algorithms {
namespace {

class DriftTrigger final : public Trigger {
 public:
  void describe(Options& options) override {
    options.add("drift_threshold", &threshold_, "average when a rank's drift exceeds this")
        .at_least(0)
        .at_most(1);
    options.add("check_steps", &check_steps_, "steps between checks of the drift").at_least(1);
  }
  void describe_state(State& state) override {
    state.add("steps_since_check", &steps_);
    drift_.describe_state(state);
    drift_mean_.describe_state(state, "drift");
  }

  void start(std::span<const float> parameters) override { drift_.start(parameters); }
  void before_epoch(std::uint32_t /*epoch*/) override { drift_mean_.reset(); }
  [[nodiscard]] bool due_after_step(const TriggerView& view) override {
    if (view.ranks == 1 || ++steps_ < check_steps_) return false;
    steps_ = 0;
    const double drift = drift_.measure(view.parameters);
    drift_mean_.add(drift);
    return view.any_rank(drift > threshold_);
  }
  [[nodiscard]] bool looks_at_parameters() const override { return true; }
  void averaged(std::span<const float> parameters) override { drift_.recentre(parameters); }
  void observe(std::vector<Observation>& to) const override {
    to.push_back({"drift", "1", "distance from the last average over the sum of both norms, mean over checks",
                  true, drift_mean_.value()});
  }

 private:
  double threshold_ = 0.05;
  std::size_t check_steps_ = 50;
  std::size_t steps_ = 0;
  Drift drift_;
  EpochMean drift_mean_;
};

}  // namespace

std::unique_ptr<Trigger> make_drift_trigger() { return std::make_unique<DriftTrigger>(); }

}  // namespace lockstep::algorithms
