// SPDX-License-Identifier: BSD-3-Clause
// Drift-weighted parameter averaging.
#include <cmath>

#include "algorithms/drift.hpp"
#include "algorithms/epoch_mean.hpp"
#include "algorithms/param_avg.hpp"

namespace lockstep::algorithms {
namespace {

/// Parameter averaging in which rank i weighs
///     gamma_i = exp(-lambda drift_i),   drift_i = ||m - t_i|| / (||m|| + ||t_i||),
/// m the previous average: the further a rank has drifted from it, the less it counts. gamma is in
/// [e^-lambda, 1]; lambda = 0, or equal drifts, give param_avg. Exchanges: as param_avg; the parameters are
/// weighted before the sum, and sum of the weights comes with them.
class WeightedParamAvg final : public ParamAvg {
 public:
  void describe(Fields& fields) override {
    ParamAvg::describe(fields);
    fields.add("lambda", &lambda_, "how strongly drift weighs a rank down (the old -lambda N is N / 100)")
        .at_least(0)
        .at_most(1e4);
  }

  [[nodiscard]] std::vector<Observation> observations() const override {
    auto all = ParamAvg::observations();
    all.push_back({"drift", "1",
                   "distance from the previous average over the sum of both norms, mean over averages", true,
                   drift_mean_.value()});
    all.push_back({"gamma", "1", "weight exp(-lambda drift) of the rank in an average, mean over averages",
                   true, gamma_mean_.value()});
    return all;
  }

  void describe_state(State& state) override {
    ParamAvg::describe_state(state);
    drift_.describe_state(state);
    drift_mean_.describe_state(state, "drift");
    gamma_mean_.describe_state(state, "gamma");
  }

 protected:
  void prepare() override {
    ParamAvg::prepare();
    drift_.start(worker().parameters);
  }

  void before_epoch() override {
    ParamAvg::before_epoch();
    drift_mean_.reset();
    gamma_mean_.reset();
  }

  [[nodiscard]] float weight() override {
    last_drift_ = drift_.measure(worker().parameters);
    last_gamma_ = std::exp(-lambda_ * last_drift_);
    return static_cast<float>(last_gamma_);
  }

  void averaged() override {
    if (worker().ranks.size() > 1) {
      drift_mean_.add(last_drift_);
      gamma_mean_.add(last_gamma_);
    }
    drift_.recentre(worker().parameters);
  }

 private:
  double lambda_ = 1.0;
  Drift drift_;
  double last_drift_ = 0.0, last_gamma_ = 1.0;
  EpochMean drift_mean_, gamma_mean_;
};

}  // namespace

std::unique_ptr<Algorithm> make_w_param_avg() { return std::make_unique<WeightedParamAvg>(); }

}  // namespace lockstep::algorithms
