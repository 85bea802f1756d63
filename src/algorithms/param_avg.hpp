// SPDX-License-Identifier: BSD-3-Clause
// Parameter averaging on a schedule, open to other weights.
#pragma once

#include "algorithms/averaging.hpp"
#include "algorithms/averaging_schedule.hpp"

namespace lockstep::algorithms {

/// Parameter averaging every avg_freq epochs, every avg_steps steps, or once at the end (McDonald et al.
/// 2010; with avg_steps = H it is local SGD, Stich 2019). Every rank weighs the same. Exchanges: one
/// allreduce of all parameters and a weight, an average.
class ParamAvg : public AveragingAlgorithm {
 public:
  void describe(Fields& fields) override { schedule_.describe(fields); }
  void describe_state(State& state) override {
    AveragingAlgorithm::describe_state(state);
    schedule_.describe_state(state);
  }

 protected:
  void after_step(const data::Batch& batch) final {
    AveragingAlgorithm::after_step(batch);
    if (schedule_.due_after_step()) average();
  }
  void after_epoch(std::uint32_t epoch, bool last) final {
    if (schedule_.due_after_epoch(epoch)) average();
    AveragingAlgorithm::after_epoch(epoch, last);
  }

 private:
  AveragingSchedule schedule_;
};

}  // namespace lockstep::algorithms
