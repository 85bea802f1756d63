// SPDX-License-Identifier: BSD-3-Clause
// The recursive doubling allreduce.
#include <bit>

#include "comm/allreduce_algorithms.hpp"
#include "comm/transfer.hpp"
#include "core/aligned.hpp"

namespace lockstep::comm {
namespace {

/// Recursive doubling allreduce: sums `inout` over all ranks, in place. Collective.
/// Ranks at distance 1, 2, 4, ... exchange whole arrays and add; a + b is b + a, so results are bitwise the
/// same. Steps: lg P, and 2 more where P is no power of two. Sent per rank: lg P * bytes, and at most once
/// more. Any P, any length. Reference: Thakur, Rabenseifner and Gropp, "Optimization of collective
/// communication operations in MPICH", 2005.
class RecursiveDoublingAllreduce final : public Allreduce {
 public:
  RecursiveDoublingAllreduce(const Communicator& comm, std::size_t max_length)
      : comm_(comm), max_length_(max_length), fold_(comm), incoming_(comm.size() == 1 ? 0 : max_length) {
    (void)to_mpi_int(max_length, "floats in a message");
  }

  void sum(std::span<float> inout) override {
    check_length(inout.size(), max_length_);
    fold_.fold(inout, incoming_);
    if (fold_.is_active()) {
      for (std::size_t distance = 1; distance < fold_.active_size(); distance *= 2) {
        const std::size_t partner = fold_.rank_of(fold_.active_rank() ^ distance);
        const std::span<float> in = std::span(incoming_).first(inout.size());
        exchange(comm_, inout, partner, in, partner);
        add(inout, in);
      }
    }
    fold_.unfold(inout);
  }

  [[nodiscard]] std::string_view name(std::size_t /*length*/) const override { return "recursive_doubling"; }
  [[nodiscard]] std::size_t sent_bytes(std::size_t length) const override {
    const auto steps = static_cast<std::size_t>(std::countr_zero(fold_.active_size()));
    return ((fold_.is_active() ? steps * length : 0) + fold_.sent_length(length)) * sizeof(float);
  }

 private:
  const Communicator& comm_;
  std::size_t max_length_;
  PowerOfTwoFold fold_;
  AlignedVector<float> incoming_;
};

}  // namespace

std::unique_ptr<Allreduce> make_recursive_doubling_allreduce(const Communicator& comm,
                                                             std::size_t max_length) {
  return std::make_unique<RecursiveDoublingAllreduce>(comm, max_length);
}

}  // namespace lockstep::comm
