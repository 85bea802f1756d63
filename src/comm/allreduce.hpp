// SPDX-License-Identifier: BSD-3-Clause
// The allreduce interface and its table: one row, one file, one algorithm.
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "comm/communicator.hpp"
#include "comm/traffic.hpp"

namespace lockstep::comm {

/// For arrays of up to `up_to_bytes` (and longer than those of the choice before): the row called `name`.
struct AllreduceChoice {
  std::size_t up_to_bytes = 0;
  std::string_view name;
};

/// Sums arrays of floats over the ranks of a communicator.
class Allreduce {
 public:
  virtual ~Allreduce() = default;
  /// Every rank's `inout` becomes the element-wise sum over all ranks, in place; the result is bitwise the
  /// same on every rank. Collective: the same length on all ranks, at most the `max_length` given at
  /// creation.
  virtual void sum(std::span<float> inout) = 0;
  /// The same as an exchange: begins it in `traffic`, and counts what is sent. Collective.
  void sum(std::span<float> inout, Traffic& traffic) {
    traffic.begin_exchange();
    sum(inout);
    traffic.add_sent(sent_bytes(inout.size()), name(inout.size()), inout.size_bytes());
  }
  /// Bytes that this rank sends to others for an array of `length` floats.
  [[nodiscard]] virtual std::size_t sent_bytes(std::size_t length) const = 0;
  /// The algorithm that sums an array of `length` floats, e.g. a row's name; the text outlives all.
  [[nodiscard]] virtual std::string_view name(std::size_t length) const = 0;
  /// For a row that chooses among others: which it uses, by ascending length up to max_length. The same on
  /// all ranks; empty for other rows.
  [[nodiscard]] virtual std::vector<AllreduceChoice> choices() const { return {}; }
};

/// "recursive_doubling up to 256 B, ring up to 872236 B"; "" for no choices.
[[nodiscard]] std::string to_text(const std::vector<AllreduceChoice>& choices);

/// How many ranks and nodes a communicator has.
struct NodeLayout {
  std::size_t ranks = 1;
  std::size_t nodes = 1;
};
/// Collective.
[[nodiscard]] NodeLayout node_layout(const Communicator& comm);

struct AllreduceRow {
  std::string_view name;
  std::string_view help;
  /// Collective. All buffers are allocated here; sum() allocates nothing. `comm` must outlive the result.
  std::unique_ptr<Allreduce> (*make)(const Communicator& comm, std::size_t max_length);
  /// True where it differs from the other rows and can be made.
  bool (*suits)(const NodeLayout& layout) = [](const NodeLayout&) { return true; };
};

[[nodiscard]] std::span<const AllreduceRow> allreduce_table();

/// The row called `name`, made; throws ConfigError for an unknown name. Collective.
[[nodiscard]] std::unique_ptr<Allreduce> make_allreduce(std::string_view name, const Communicator& comm,
                                                        std::size_t max_length);

/// Row `auto` with choices that an earlier run made on as many ranks: measures nothing, and sums bitwise as
/// that run did. nullptr if a chosen row does not exist or does not suit these nodes.
/// Collective.
[[nodiscard]] std::unique_ptr<Allreduce> make_chosen_allreduce(const std::vector<AllreduceChoice>& choices,
                                                               const Communicator& comm,
                                                               std::size_t max_length);

}  // namespace lockstep::comm
