// SPDX-License-Identifier: BSD-3-Clause
// Allreduces in the background, while the ranks compute.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "comm/communicator.hpp"

namespace lockstep::comm {

/// Sums of arrays over all ranks in the background (MPI_Iallreduce). All ranks start the same lengths in the
/// same order. An MPI library without a progress thread moves data only inside its calls, so call progress()
/// now and then.
class NonblockingAllreduce {
 public:
  /// Room for `most` sums at once; `comm` must outlive the result.
  NonblockingAllreduce(const Communicator& comm, std::size_t most);
  ~NonblockingAllreduce();
  NonblockingAllreduce(const NonblockingAllreduce&) = delete;
  NonblockingAllreduce& operator=(const NonblockingAllreduce&) = delete;

  /// Starts summing `inout` in place; it must not be touched before finish(). Collective.
  void start(std::span<float> inout);
  /// Moves what can be moved; returns how many floats of those started since the last finish() are summed.
  std::size_t progress();
  /// Waits for all. Collective.
  void finish();

 private:
  const Communicator& comm_;
  std::vector<MPI_Request> requests_;
  std::vector<std::size_t> lengths_;  // of each request
  std::size_t started_ = 0;
};

}  // namespace lockstep::comm
