// SPDX-License-Identifier: BSD-3-Clause
// The allreduce interface and its table: one row, one file, one algorithm.
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string_view>

#include "comm/communicator.hpp"

namespace lockstep::comm {

/// Sums arrays of floats over the ranks of a communicator.
class Allreduce {
 public:
  virtual ~Allreduce() = default;
  /// Every rank's `inout` becomes the element-wise sum over all ranks, in place; the result is bitwise the
  /// same on every rank. Collective: the same length on all ranks, at most the `max_length` given at
  /// creation.
  virtual void sum(std::span<float> inout) = 0;
  /// Bytes that this rank sends to others for an array of `length` floats.
  [[nodiscard]] virtual std::size_t sent_bytes(std::size_t length) const = 0;
};

struct AllreduceRow {
  std::string_view name;
  std::string_view help;
  /// Collective. All buffers are allocated here; sum() allocates nothing. `comm` must outlive the result.
  std::unique_ptr<Allreduce> (*make)(const Communicator& comm, std::size_t max_length);
};

[[nodiscard]] std::span<const AllreduceRow> allreduce_table();

/// The row called `name`, made; throws ConfigError for an unknown name. Collective.
[[nodiscard]] std::unique_ptr<Allreduce> make_allreduce(std::string_view name, const Communicator& comm,
                                                        std::size_t max_length);

}  // namespace lockstep::comm
