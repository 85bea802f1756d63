// SPDX-License-Identifier: BSD-3-Clause
// The MPI library's own allreduce.
#include <algorithm>

#include "comm/allreduce_algorithms.hpp"
#include "comm/transfer.hpp"

namespace lockstep::comm {
namespace {

/// MPI_Allreduce in place: sums `inout` over all ranks by the algorithm that the library chooses. Collective.
/// Steps and bytes are the library's; sent_bytes() is the lower bound of every allreduce, 2(P-1)/P * bytes,
/// rounded down. Any P, any length. Reference: the MPI standard, which asks for identical results on all
/// ranks.
class MpiAllreduce final : public Allreduce {
 public:
  MpiAllreduce(const Communicator& comm, std::size_t max_length) : comm_(comm), max_length_(max_length) {}

  void sum(std::span<float> inout) override {
    check_length(inout.size(), max_length_);
    constexpr std::size_t call_limit = std::size_t{1} << 30;  // fits MPI's int
    for (std::size_t begin = 0; begin < inout.size(); begin += call_limit) {
      const std::span<float> part = inout.subspan(begin, std::min(call_limit, inout.size() - begin));
      check(MPI_Allreduce(MPI_IN_PLACE, part.data(), to_mpi_int(part.size(), "floats"), MPI_FLOAT, MPI_SUM,
                          comm_.handle()),
            "MPI_Allreduce");
    }
  }

  [[nodiscard]] std::string_view name(std::size_t /*length*/) const override { return "mpi"; }
  [[nodiscard]] std::size_t sent_bytes(std::size_t length) const override {
    return 2 * (comm_.size() - 1) * length * sizeof(float) / comm_.size();
  }

 private:
  const Communicator& comm_;
  std::size_t max_length_;
};

}  // namespace

std::unique_ptr<Allreduce> make_mpi_allreduce(const Communicator& comm, std::size_t max_length) {
  return std::make_unique<MpiAllreduce>(comm, max_length);
}

}  // namespace lockstep::comm
