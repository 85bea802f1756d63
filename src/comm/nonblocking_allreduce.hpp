// SPDX-License-Identifier: BSD-3-Clause
// Allreduces in the background, while the ranks compute.
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string_view>

#include "comm/communicator.hpp"

namespace lockstep::comm {

/// Sums of arrays over all ranks in the background. All ranks start the same lengths in the same order. Data
/// move only inside calls where the MPI library has no thread for it, so call progress() now and then. The
/// destructor waits for what was started.
class NonblockingAllreduce {
 public:
  virtual ~NonblockingAllreduce() = default;

  /// Starts summing `inout` in place; it must not be touched before finish(). Collective.
  virtual void start(std::span<float> inout) = 0;
  /// Moves what can be moved; returns how many floats of those started since the last finish() are summed.
  [[nodiscard]] virtual std::size_t progress() = 0;
  /// Waits for all. Collective.
  virtual void finish() = 0;
  /// As timelines say it.
  [[nodiscard]] virtual std::string_view name() const = 0;
};

/// Room for `most` sums at once, of `most_floats` together; `comm` must outlive the result. MPI_Iallreduce,
/// but on a simulated cluster the ring: SimGrid's takes as long as no MPI library's does. Collective.
[[nodiscard]] std::unique_ptr<NonblockingAllreduce> make_nonblocking_allreduce(const Communicator& comm,
                                                                               std::size_t most,
                                                                               std::size_t most_floats);

/// By MPI_Iallreduce.
[[nodiscard]] std::unique_ptr<NonblockingAllreduce> make_nonblocking_mpi_allreduce(const Communicator& comm,
                                                                                   std::size_t most);

/// Each array around a ring, as in the ring allreduce and with the same sums to the last bit. Sent per rank:
/// 2(P-1)/P * bytes.
[[nodiscard]] std::unique_ptr<NonblockingAllreduce> make_nonblocking_ring_allreduce(const Communicator& comm,
                                                                                    std::size_t most,
                                                                                    std::size_t most_floats);

}  // namespace lockstep::comm
