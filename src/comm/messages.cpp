// SPDX-License-Identifier: BSD-3-Clause
// Non-blocking messages through MPI.
#include "comm/messages.hpp"

#include <cassert>
#include <exception>

namespace lockstep::comm {

Messages::Messages(const Communicator& comm, std::size_t slots, int tag)
    : comm_(comm), tag_(tag), requests_(slots, MPI_REQUEST_NULL), receives_(slots, false) {}

Messages::~Messages() {
  if (std::uncaught_exceptions() > 0) return;  // the job ends; others may not come
  for (std::size_t slot = 0; slot < requests_.size(); ++slot) {
    if (requests_[slot] == MPI_REQUEST_NULL) continue;
    if (receives_[slot]) MPI_Cancel(&requests_[slot]);
    MPI_Wait(&requests_[slot], MPI_STATUS_IGNORE);
  }
}

void Messages::send(std::size_t slot, std::span<const std::byte> out, std::size_t to) {
  assert(requests_[slot] == MPI_REQUEST_NULL);
  check(MPI_Isend(out.data(), to_mpi_int(out.size(), "bytes"), MPI_BYTE, to_mpi_int(to, "ranks"), tag_,
                  comm_.handle(), &requests_[slot]),
        "MPI_Isend");
}

void Messages::receive(std::size_t slot, std::span<std::byte> in, std::size_t from) {
  assert(requests_[slot] == MPI_REQUEST_NULL);
  const int source = from == any_source ? MPI_ANY_SOURCE : to_mpi_int(from, "ranks");
  check(MPI_Irecv(in.data(), to_mpi_int(in.size(), "bytes"), MPI_BYTE, source, tag_, comm_.handle(),
                  &requests_[slot]),
        "MPI_Irecv");
  receives_[slot] = true;
}

bool Messages::is_done(std::size_t slot) {
  assert(!receives_[slot]);  // receives are reported by poll()
  int done = 1;
  if (requests_[slot] != MPI_REQUEST_NULL)
    check(MPI_Test(&requests_[slot], &done, MPI_STATUS_IGNORE), "MPI_Test");
  return done != 0;
}

std::optional<Arrival> Messages::poll() {
  for (std::size_t slot = 0; slot < requests_.size(); ++slot) {
    if (!receives_[slot]) continue;
    int done = 0;
    MPI_Status status{};
    check(MPI_Test(&requests_[slot], &done, &status), "MPI_Test");
    if (done == 0) continue;
    receives_[slot] = false;
    int bytes = 0;
    check(MPI_Get_count(&status, MPI_BYTE, &bytes), "MPI_Get_count");
    return Arrival{slot, static_cast<std::size_t>(status.MPI_SOURCE), static_cast<std::size_t>(bytes)};
  }
  return {};
}

void Messages::wait_all() {
  check(MPI_Waitall(to_mpi_int(requests_.size(), "messages"), requests_.data(), MPI_STATUSES_IGNORE),
        "MPI_Waitall");
  receives_.assign(receives_.size(), false);
}

}  // namespace lockstep::comm
