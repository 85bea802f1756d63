// SPDX-License-Identifier: BSD-3-Clause
// Drift-triggered parameter averaging.
#include "algorithms/drift.hpp"
#include "algorithms/epoch_mean.hpp"

namespace lockstep::algorithms {
namespace {

/// Parameter averaging only when it is needed: every check_steps steps each rank measures its drift from the
/// last average, ||m - t_i|| / (||m|| + ||t_i||), and all average when any rank's exceeds drift_threshold (in
/// the spirit of dynamic averaging, Kamp et al. 2018). All average once more at the end of training.
/// Exchanges: one number a check; one allreduce of all parameters and a weight, an average.
class DriftAvg final : public AveragingAlgorithm {
 public:
  void describe(Fields& fields) override {
    fields.add("drift_threshold", &threshold_, "average when a rank's drift exceeds this")
        .at_least(0)
        .at_most(1);
    fields.add("check_steps", &check_steps_, "steps between checks of the drift").at_least(1);
  }

  [[nodiscard]] std::vector<Observation> observations() const override {
    auto all = AveragingAlgorithm::observations();
    all.push_back({"drift", "1",
                   "distance from the last average over the sum of both norms, mean over checks", true,
                   drift_mean_.value()});
    return all;
  }

  void describe_state(State& state) override {
    AveragingAlgorithm::describe_state(state);
    state.add("steps_since_check", &steps_);
    drift_.describe_state(state);
    drift_mean_.describe_state(state, "drift");
  }

 protected:
  void prepare() override {
    AveragingAlgorithm::prepare();
    drift_.start(worker().parameters);
  }

  void before_epoch() override {
    AveragingAlgorithm::before_epoch();
    drift_mean_.reset();
  }

  void after_step(const data::Batch& batch) override {
    AveragingAlgorithm::after_step(batch);
    if (worker().ranks.size() == 1 || ++steps_ < check_steps_) return;
    steps_ = 0;
    const double drift = drift_.measure(worker().parameters);
    drift_mean_.add(drift);
    float exceeding_ranks = drift > threshold_ ? 1.0F : 0.0F;
    wait_for_ranks();
    sum_over_ranks({&exceeding_ranks, 1});
    if (exceeding_ranks > 0.0F) average();
  }

  void averaged() override { drift_.recentre(worker().parameters); }

 private:
  double threshold_ = 0.05;
  std::size_t check_steps_ = 50;
  std::size_t steps_ = 0;
  Drift drift_;
  EpochMean drift_mean_;
};

}  // namespace

std::unique_ptr<Algorithm> make_drift_avg() { return std::make_unique<DriftAvg>(); }

}  // namespace lockstep::algorithms
