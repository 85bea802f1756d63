// SPDX-License-Identifier: BSD-3-Clause
// Parameter averaging.
#include "algorithms/param_avg.hpp"

namespace lockstep::algorithms {

std::unique_ptr<Algorithm> make_param_avg() { return std::make_unique<ParamAvg>(); }

}  // namespace lockstep::algorithms
