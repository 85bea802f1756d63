// SPDX-License-Identifier: BSD-3-Clause
// Rabenseifner's allreduce.
#include <algorithm>

#include "comm/allreduce_algorithms.hpp"
#include "comm/transfer.hpp"
#include "core/aligned.hpp"

namespace lockstep::comm {
namespace {

/// Rabenseifner's allreduce: sums `inout` over all ranks, in place. Collective.
/// Reduce-scatter by recursive halving, allgather by recursive doubling; one rank sums a slice and all others
/// copy it, so results are bitwise the same. Steps: 2 lg P, and 2 more where P is no power of two.
/// Sent per rank: 2(Q-1)/Q * bytes with Q = 2^floor(lg P), and at most once more where Q < P. Any P, any
/// length. Reference: Thakur, Rabenseifner and Gropp, "Optimization of collective communication operations in
/// MPICH", 2005.
class RabenseifnerAllreduce final : public Allreduce {
 public:
  RabenseifnerAllreduce(const Communicator& comm, std::size_t max_length)
      : comm_(comm),
        max_length_(max_length),
        fold_(comm),
        incoming_(
            std::max(fold_.sent_length(max_length), slices_length(max_length, parts(), 0, parts() / 2))) {
    (void)to_mpi_int(max_length, "floats in a message");
  }

  void sum(std::span<float> inout) override {
    check_length(inout.size(), max_length_);
    fold_.fold(inout, incoming_);
    if (fold_.is_active()) {
      reduce_scatter(inout);
      allgather(inout);
    }
    fold_.unfold(inout);
  }

  [[nodiscard]] std::string_view name(std::size_t /*length*/) const override { return "rabenseifner"; }
  [[nodiscard]] std::size_t sent_bytes(std::size_t length) const override {
    std::size_t sent = fold_.sent_length(length);
    if (fold_.is_active()) {
      for (std::size_t distance = 1; distance < parts(); distance *= 2) {
        sent += slices_length(length, parts(), first_slice(distance) ^ distance, distance);  // reduce-scatter
        sent += slices_length(length, parts(), first_slice(distance), distance);             // allgather
      }
    }
    return sent * sizeof(float);
  }

 private:
  [[nodiscard]] std::size_t parts() const { return fold_.active_size(); }
  // At a distance this rank works for `distance` slices from this one on; its partner's begin at this ^
  // distance.
  [[nodiscard]] std::size_t first_slice(std::size_t distance) const {
    return fold_.active_rank() / distance * distance;
  }

  // Each step halves the slices that this rank works for, until it is the one slice of its own.
  void reduce_scatter(std::span<float> inout) {
    for (std::size_t distance = parts() / 2; distance > 0; distance /= 2) {
      const std::size_t partner = fold_.rank_of(fold_.active_rank() ^ distance);
      const std::span<float> own = slices(inout, parts(), first_slice(distance), distance);
      const std::span<float> out = slices(inout, parts(), first_slice(distance) ^ distance, distance);
      const std::span<float> in = std::span(incoming_).first(own.size());
      exchange(comm_, out, partner, in, partner);
      add(own, in);
    }
  }

  // Each step doubles the complete slices that this rank has.
  void allgather(std::span<float> inout) const {
    for (std::size_t distance = 1; distance < parts(); distance *= 2) {
      const std::size_t partner = fold_.rank_of(fold_.active_rank() ^ distance);
      const std::span<float> own = slices(inout, parts(), first_slice(distance), distance);
      const std::span<float> in = slices(inout, parts(), first_slice(distance) ^ distance, distance);
      exchange(comm_, own, partner, in, partner);
    }
  }

  const Communicator& comm_;
  std::size_t max_length_;
  PowerOfTwoFold fold_;
  AlignedVector<float> incoming_;  // half an array, or a whole one if this rank has an idle partner
};

}  // namespace

std::unique_ptr<Allreduce> make_rabenseifner_allreduce(const Communicator& comm, std::size_t max_length) {
  return std::make_unique<RabenseifnerAllreduce>(comm, max_length);
}

}  // namespace lockstep::comm
