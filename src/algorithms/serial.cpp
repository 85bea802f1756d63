// SPDX-License-Identifier: BSD-3-Clause
// Serial SGD.
#include "algorithms/stepwise.hpp"

namespace lockstep::algorithms {
namespace {

/// w <- w - rate * gradient of a batch of `batch_size` samples, on one rank. Nothing is sent.
class Serial final : public StepwiseAlgorithm {
 public:
  Serial() : StepwiseAlgorithm(data::Division::batches) {}
};

}  // namespace

std::unique_ptr<Algorithm> make_serial() { return std::make_unique<Serial>(); }

}  // namespace lockstep::algorithms
