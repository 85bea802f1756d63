// SPDX-License-Identifier: BSD-3-Clause
// The methods of periodic averaging: each a choice of parts, and a row of table.def.
#include "algorithms/averaging/periodic_averaging.hpp"

namespace lockstep::algorithms {
namespace {

std::unique_ptr<Algorithm> averaging(const AveragingPreset& preset) {
  return std::make_unique<PeriodicAveraging>(preset);
}

}  // namespace

std::unique_ptr<Algorithm> make_param_avg() { return averaging({}); }
std::unique_ptr<Algorithm> make_w_param_avg() { return averaging({.weight = make_drift_weight}); }
std::unique_ptr<Algorithm> make_drift_avg() { return averaging({.trigger = make_drift_trigger}); }
std::unique_ptr<Algorithm> make_post_local_sgd() { return averaging({.trigger = make_post_local_trigger}); }

}  // namespace lockstep::algorithms
