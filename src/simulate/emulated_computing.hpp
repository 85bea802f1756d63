// SPDX-License-Identifier: BSD-3-Clause
// Ranks that wait instead of computing, on a real network: more of them than there are cores may do so at
// once.
#pragma once

#include "core/work.hpp"
#include "simulate/kernel_table.hpp"

namespace lockstep::simulate {

/// The process sleeps for as long as a table of kernels says that its work takes, and leaves the arithmetic
/// out. Sleeps are gathered up to a tenth of a millisecond, and one that lasted too long shortens the next.
class EmulatedComputing final : public WorkMeter {
 public:
  /// The table outlives it.
  explicit EmulatedComputing(const KernelTable& table);

  /// Throws AgreedError for a kernel whose time the table does not tell: all ranks do the same work.
  [[nodiscard]] bool begin(const Work& work) override;
  void end() override;

 private:
  const KernelTable& table_;
  double owed_s_ = 0.0;
};

}  // namespace lockstep::simulate
