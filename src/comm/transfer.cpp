// SPDX-License-Identifier: BSD-3-Clause
// Messages between two ranks, and loops over arrays.
#include "comm/transfer.hpp"

#include <algorithm>
#include <bit>

#include "core/error.hpp"
#include "core/work.hpp"

namespace lockstep::comm {
namespace {

constexpr int tag = 0;  // the communicator is this program's own

template <class T>
void send_and_receive(const Communicator& comm, std::span<const T> out, std::size_t to, std::span<T> in,
                      std::size_t from, MPI_Datatype type, const char* what) {
  check(MPI_Sendrecv(out.data(), to_mpi_int(out.size(), what), type, to_mpi_int(to, "ranks"), tag, in.data(),
                     to_mpi_int(in.size(), what), type, to_mpi_int(from, "ranks"), tag, comm.handle(),
                     MPI_STATUS_IGNORE),
        "MPI_Sendrecv");
}

}  // namespace

std::size_t begin_of(std::size_t length, std::size_t parts, std::size_t index) {
  return length / parts * index + std::min(index, length % parts);
}

std::size_t slices_length(std::size_t length, std::size_t parts, std::size_t first, std::size_t count) {
  return begin_of(length, parts, first + count) - begin_of(length, parts, first);
}

std::span<float> slices(std::span<float> array, std::size_t parts, std::size_t first, std::size_t count) {
  return array.subspan(begin_of(array.size(), parts, first),
                       slices_length(array.size(), parts, first, count));
}

void send(const Communicator& comm, std::span<const float> out, std::size_t to) {
  check(MPI_Send(out.data(), to_mpi_int(out.size(), "floats"), MPI_FLOAT, to_mpi_int(to, "ranks"), tag,
                 comm.handle()),
        "MPI_Send");
}

void receive(const Communicator& comm, std::span<float> in, std::size_t from) {
  check(MPI_Recv(in.data(), to_mpi_int(in.size(), "floats"), MPI_FLOAT, to_mpi_int(from, "ranks"), tag,
                 comm.handle(), MPI_STATUS_IGNORE),
        "MPI_Recv");
}

void exchange(const Communicator& comm, std::span<const float> out, std::size_t to, std::span<float> in,
              std::size_t from) {
  send_and_receive(comm, out, to, in, from, MPI_FLOAT, "floats");
}

void exchange(const Communicator& comm, std::span<const std::byte> out, std::size_t to,
              std::span<std::byte> in, std::size_t from) {
  send_and_receive(comm, out, to, in, from, MPI_BYTE, "bytes");
}

void add(std::span<float> inout, std::span<const float> other) {
  const Working working([&] { return array_work("add", inout.size(), 3); });
  if (!working) return;
  float* __restrict to = inout.data();
  const float* __restrict from = other.data();
  for (std::size_t i = 0; i < inout.size(); ++i) to[i] += from[i];
}

void scale(std::span<const float> in, float factor, std::span<float> out) {
  const Working working([&] { return array_work("scale", in.size(), 2); });
  if (!working) return;
  const float* __restrict from = in.data();
  float* __restrict to = out.data();
  for (std::size_t i = 0; i < in.size(); ++i) to[i] = factor * from[i];
}

void divide(std::span<const float> in, float divisor, std::span<float> out) {
  const Working working([&] { return array_work("divide", in.size(), 2); });
  if (!working) return;
  const float* __restrict from = in.data();
  float* __restrict to = out.data();
  for (std::size_t i = 0; i < in.size(); ++i) to[i] = from[i] / divisor;
}

void check_length(std::size_t length, std::size_t max_length) {
  if (length > max_length)
    throw Error({.what = "allreduce of an array that is longer than its buffers",
                 .expected = "at most " + std::to_string(max_length) + " floats, as given at creation",
                 .got = std::to_string(length)});
}

PowerOfTwoFold::PowerOfTwoFold(const Communicator& comm)
    : comm_(comm), active_size_(std::bit_floor(comm.size())), extra_(comm.size() - active_size_) {
  const std::size_t rank = comm.rank();
  has_partner_ = rank < 2 * extra_;
  is_active_ = !has_partner_ || rank % 2 == 1;
  active_rank_ = has_partner_ ? rank / 2 : rank - extra_;
}

std::size_t PowerOfTwoFold::rank_of(std::size_t active) const {
  return active < extra_ ? 2 * active + 1 : active + extra_;
}

void PowerOfTwoFold::fold(std::span<float> inout, std::span<float> scratch) const {
  if (!has_partner_) return;
  if (is_active_) {
    const std::span<float> in = scratch.first(inout.size());
    receive(comm_, in, comm_.rank() - 1);
    add(inout, in);
  } else {
    send(comm_, inout, comm_.rank() + 1);
  }
}

void PowerOfTwoFold::unfold(std::span<float> inout) const {
  if (!has_partner_) return;
  if (is_active_)
    send(comm_, inout, comm_.rank() - 1);
  else
    receive(comm_, inout, comm_.rank() + 1);
}

}  // namespace lockstep::comm
