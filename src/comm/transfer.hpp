// SPDX-License-Identifier: BSD-3-Clause
// What the allreduce algorithms are made of: slices of an array, messages between two ranks, passes over
// arrays.
#pragma once

#include <cstddef>
#include <span>

#include "comm/communicator.hpp"

namespace lockstep::comm {

/// Where slice `index` of `parts` begins in an array of `length`; slices differ by one element at most and
/// may be empty. begin_of(length, parts, parts) is `length`.
[[nodiscard]] std::size_t begin_of(std::size_t length, std::size_t parts, std::size_t index);
/// `count` slices from `first` on, of `parts` slices of `array`.
[[nodiscard]] std::span<float> slices(std::span<float> array, std::size_t parts, std::size_t first,
                                      std::size_t count = 1);
/// The length of slices(...) for an array of `length`.
[[nodiscard]] std::size_t slices_length(std::size_t length, std::size_t parts, std::size_t first,
                                        std::size_t count = 1);

/// One message. The lengths of both sides agree; each call narrows its length to MPI's int and checks it.
void send(const Communicator& comm, std::span<const float> out, std::size_t to);
void receive(const Communicator& comm, std::span<float> in, std::size_t from);
/// Sends `out` to one rank while receiving `in` from another or the same. `out` and `in` do not overlap.
void exchange(const Communicator& comm, std::span<const float> out, std::size_t to, std::span<float> in,
              std::size_t from);

void exchange(const Communicator& comm, std::span<const std::byte> out, std::size_t to,
              std::span<std::byte> in, std::size_t from);

/// inout[i] += other[i]; the arrays do not overlap.
void add(std::span<float> inout, std::span<const float> other);

/// out[i] = factor * in[i], and in[i] / divisor; the arrays do not overlap.
void scale(std::span<const float> in, float factor, std::span<float> out);
void divide(std::span<const float> in, float divisor, std::span<float> out);

/// Throws Error when an array is longer than the buffers that were allocated for it.
void check_length(std::size_t length, std::size_t max_length);

/// Reduces a job of any size P to 2^k active ranks and back, for algorithms that need a power of two
/// (Thakur, Rabenseifner and Gropp, 2005). With r = P - 2^k, the even ones of the first 2r ranks give their
/// array to the next rank, are idle, and receive the result at the end.
class PowerOfTwoFold {
 public:
  explicit PowerOfTwoFold(const Communicator& comm);

  [[nodiscard]] bool is_active() const { return is_active_; }
  /// The number of active ranks, 2^k.
  [[nodiscard]] std::size_t active_size() const { return active_size_; }
  /// This rank's number among the active ones; only if is_active().
  [[nodiscard]] std::size_t active_rank() const { return active_rank_; }
  /// The communicator's rank of an active one.
  [[nodiscard]] std::size_t rank_of(std::size_t active) const;

  /// Adds the arrays of idle ranks to those of active ranks. On a rank that has an idle partner, `scratch` is
  /// as long as `inout`.
  void fold(std::span<float> inout, std::span<float> scratch) const;
  /// Sends the result to idle ranks.
  void unfold(std::span<float> inout) const;
  /// Floats that this rank sends in fold() and unfold() together.
  [[nodiscard]] std::size_t sent_length(std::size_t length) const { return has_partner_ ? length : 0; }

 private:
  const Communicator& comm_;
  std::size_t active_size_ = 1;
  std::size_t extra_ = 0;  // r
  std::size_t active_rank_ = 0;
  bool has_partner_ = false;
  bool is_active_ = true;
};

}  // namespace lockstep::comm
