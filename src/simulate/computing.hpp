// SPDX-License-Identifier: BSD-3-Clause
// Time that passes while ranks compute, by a table of kernels instead of by this machine's clock.
#pragma once

#include "core/work.hpp"
#include "simulate/kernel_table.hpp"

namespace lockstep::simulate {

/// Each rank's work makes up a debt of seconds, and the rank pays it, as time that its core is busy, before
/// it looks at the clock or calls MPI: simulated time is then a function of the program and its input alone.
class ModelledComputing final : public WorkMeter {
 public:
  /// The table outlives it. Without `arithmetic` work only takes its time.
  ModelledComputing(const KernelTable& table, bool arithmetic) : table_(table), arithmetic_(arithmetic) {}

  [[nodiscard]] bool begin(const Work& work) override;
  void end() override {}

 private:
  const KernelTable& table_;
  bool arithmetic_;
};

/// Pays what the calling rank owes.
void pay_for_work();

}  // namespace lockstep::simulate
