// SPDX-License-Identifier: BSD-3-Clause
// Non-blocking allreduces through MPI.
#include <cassert>
#include <exception>
#include <vector>

#include "comm/nonblocking_allreduce.hpp"
#include "core/platform.hpp"

namespace lockstep::comm {
namespace {

class MpiNonblockingAllreduce final : public NonblockingAllreduce {
 public:
  MpiNonblockingAllreduce(const Communicator& comm, std::size_t most)
      : comm_(comm), requests_(most, MPI_REQUEST_NULL), lengths_(most) {}
  ~MpiNonblockingAllreduce() override {
    if (started_ == 0 || std::uncaught_exceptions() > 0) return;
    MPI_Waitall(static_cast<int>(started_), requests_.data(), MPI_STATUSES_IGNORE);
  }

  void start(std::span<float> inout) override {
    assert(started_ < requests_.size());
    check(MPI_Iallreduce(MPI_IN_PLACE, inout.data(), to_mpi_int(inout.size(), "floats"), MPI_FLOAT, MPI_SUM,
                         comm_.handle(), &requests_[started_]),
          "MPI_Iallreduce");
    lengths_[started_++] = inout.size();
  }

  [[nodiscard]] std::size_t progress() override {
    std::size_t done_floats = 0;
    for (std::size_t i = 0; i < started_; ++i) {
      int done = 1;
      if (requests_[i] != MPI_REQUEST_NULL)
        check(MPI_Test(&requests_[i], &done, MPI_STATUS_IGNORE), "MPI_Test");
      if (done != 0) done_floats += lengths_[i];
    }
    return done_floats;
  }

  void finish() override {
    check(MPI_Waitall(to_mpi_int(started_, "requests"), requests_.data(), MPI_STATUSES_IGNORE),
          "MPI_Waitall");
    started_ = 0;
  }

  [[nodiscard]] std::string_view name() const override { return "mpi, overlapped"; }

 private:
  const Communicator& comm_;
  std::vector<MPI_Request> requests_;
  std::vector<std::size_t> lengths_;  // of each request
  std::size_t started_ = 0;
};

}  // namespace

std::unique_ptr<NonblockingAllreduce> make_nonblocking_mpi_allreduce(const Communicator& comm,
                                                                     std::size_t most) {
  return std::make_unique<MpiNonblockingAllreduce>(comm, most);
}

std::unique_ptr<NonblockingAllreduce> make_nonblocking_allreduce(const Communicator& comm, std::size_t most,
                                                                 std::size_t most_floats) {
  if (platform().is_simulated) return make_nonblocking_ring_allreduce(comm, most, most_floats);
  return make_nonblocking_mpi_allreduce(comm, most);
}

}  // namespace lockstep::comm
