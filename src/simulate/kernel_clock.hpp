// SPDX-License-Identifier: BSD-3-Clause
// Takes the times of kernels while they work.
#pragma once

#include <cstddef>
#include <map>
#include <string>
#include <vector>

#include "comm/communicator.hpp"
#include "core/json_fwd.hpp"
#include "core/work.hpp"

namespace lockstep::simulate {

/// Keeps the time of each piece of whole work (share 1) by kernel and count.
class KernelClock final : public WorkMeter {
 public:
  KernelClock();
  [[nodiscard]] bool begin(const Work& work) override;
  void end() override;

  /// {kernel: [[count, seconds], ...], ...}: medians, of all ranks' the mean. All ranks have timed the same.
  /// Complete on rank 0. Collective.
  [[nodiscard]] Json kernels(const comm::Communicator& ranks) const;

 private:
  std::map<std::string, std::map<std::size_t, std::vector<double>>> seconds_;  // [kernel][count]
  std::vector<double>* current_ = nullptr;
  double start_s_ = 0.0;
  double own_s_ = 0.0;  // that looking at the clock takes by itself
};

}  // namespace lockstep::simulate
