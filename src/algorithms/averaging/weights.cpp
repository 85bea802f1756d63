// SPDX-License-Identifier: BSD-3-Clause
// Weights: equal, and falling with drift.
#include <cmath>

#include "algorithms/averaging/drift.hpp"
#include "algorithms/averaging/weight.hpp"
#include "algorithms/epoch_mean.hpp"

namespace lockstep::algorithms {
namespace {

class DriftWeight final : public Weight {
 public:
  void describe(Options& options) override {
    options.add("lambda", &lambda_, "how strongly drift weighs a rank down (the old -lambda N is N / 100)")
        .at_least(0)
        .at_most(1e4);
  }
  void describe_state(State& state) override {
    drift_.describe_state(state);
    drift_mean_.describe_state(state, "drift");
    gamma_mean_.describe_state(state, "gamma");
  }

  void start(std::span<const float> parameters) override { drift_.start(parameters); }
  void before_epoch() override {
    drift_mean_.reset();
    gamma_mean_.reset();
  }
  [[nodiscard]] float of(std::span<const float> parameters) override {
    last_drift_ = drift_.measure(parameters);
    last_gamma_ = std::exp(-lambda_ * last_drift_);
    return static_cast<float>(last_gamma_);
  }
  void averaged(std::span<const float> parameters, std::size_t ranks) override {
    if (ranks > 1) {
      drift_mean_.add(last_drift_);
      gamma_mean_.add(last_gamma_);
    }
    drift_.recentre(parameters);
  }
  void observe(std::vector<Observation>& to) const override {
    to.push_back({"drift", "1",
                  "distance from the previous average over the sum of both norms, mean over averages", true,
                  drift_mean_.value()});
    to.push_back({"gamma", "1", "weight exp(-lambda drift) of the rank in an average, mean over averages",
                  true, gamma_mean_.value()});
  }

 private:
  double lambda_ = 1.0;
  Drift drift_;
  double last_drift_ = 0.0, last_gamma_ = 1.0;
  EpochMean drift_mean_, gamma_mean_;
};

}  // namespace

std::unique_ptr<Weight> make_equal_weight() { return std::make_unique<Weight>(); }
std::unique_ptr<Weight> make_drift_weight() { return std::make_unique<DriftWeight>(); }

}  // namespace lockstep::algorithms
