// SPDX-License-Identifier: BSD-3-Clause
// The factories behind the rows of the allreduce table. Each is collective; see AllreduceRow::make.
#pragma once

#include <cstddef>
#include <memory>

#include "comm/allreduce.hpp"
#include "comm/codec.hpp"
#include "comm/communicator.hpp"

namespace lockstep::comm {

[[nodiscard]] std::unique_ptr<Allreduce> make_mpi_allreduce(const Communicator& comm, std::size_t max_length);
[[nodiscard]] std::unique_ptr<Allreduce> make_ring_allreduce(const Communicator& comm,
                                                             std::size_t max_length);
[[nodiscard]] std::unique_ptr<Allreduce> make_recursive_doubling_allreduce(const Communicator& comm,
                                                                           std::size_t max_length);
[[nodiscard]] std::unique_ptr<Allreduce> make_rabenseifner_allreduce(const Communicator& comm,
                                                                     std::size_t max_length);
[[nodiscard]] std::unique_ptr<Allreduce> make_shared_memory_allreduce(const Communicator& comm,
                                                                      std::size_t max_length);
[[nodiscard]] std::unique_ptr<Allreduce> make_hierarchical_allreduce(const Communicator& comm,
                                                                     std::size_t max_length);
[[nodiscard]] std::unique_ptr<Allreduce> make_auto_allreduce(const Communicator& comm,
                                                             std::size_t max_length);
/// No row of the table, since what it sums is rounded: floats are written by `codec` on the wire, which must
/// outlive the result.
[[nodiscard]] std::unique_ptr<Allreduce> make_encoded_allreduce(const Communicator& comm, const Codec& codec,
                                                                std::size_t max_length);
/// make_hierarchical_allreduce with the grouping given: `node` holds the ranks of `comm` that count as one
/// node. They must share memory; ranks that share memory may be in different groups.
[[nodiscard]] std::unique_ptr<Allreduce> make_hierarchical_allreduce(const Communicator& comm,
                                                                     Communicator node,
                                                                     std::size_t max_length);

}  // namespace lockstep::comm
