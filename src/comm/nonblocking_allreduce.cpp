// SPDX-License-Identifier: BSD-3-Clause
// Non-blocking allreduces through MPI.
#include "comm/nonblocking_allreduce.hpp"

#include <exception>

#include "core/error.hpp"

namespace lockstep::comm {

NonblockingAllreduce::NonblockingAllreduce(const Communicator& comm, std::size_t most)
    : comm_(comm), requests_(most, MPI_REQUEST_NULL), lengths_(most) {}

NonblockingAllreduce::~NonblockingAllreduce() {
  if (started_ == 0 || std::uncaught_exceptions() > 0) return;
  MPI_Waitall(static_cast<int>(started_), requests_.data(), MPI_STATUSES_IGNORE);
}

void NonblockingAllreduce::start(std::span<float> inout) {
  if (started_ == requests_.size())
    throw Error({.what = "more sums started than there is room for",
                 .expected = "at most " + std::to_string(requests_.size()),
                 .got = std::to_string(started_ + 1)});
  check(MPI_Iallreduce(MPI_IN_PLACE, inout.data(), to_mpi_int(inout.size(), "floats"), MPI_FLOAT, MPI_SUM,
                       comm_.handle(), &requests_[started_]),
        "MPI_Iallreduce");
  lengths_[started_++] = inout.size();
}

std::size_t NonblockingAllreduce::progress() {
  std::size_t done_floats = 0;
  for (std::size_t i = 0; i < started_; ++i) {
    int done = 1;
    if (requests_[i] != MPI_REQUEST_NULL)
      check(MPI_Test(&requests_[i], &done, MPI_STATUS_IGNORE), "MPI_Test");
    if (done != 0) done_floats += lengths_[i];
  }
  return done_floats;
}

void NonblockingAllreduce::finish() {
  check(MPI_Waitall(to_mpi_int(started_, "requests"), requests_.data(), MPI_STATUSES_IGNORE), "MPI_Waitall");
  started_ = 0;
}

}  // namespace lockstep::comm
