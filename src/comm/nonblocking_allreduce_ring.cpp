// SPDX-License-Identifier: BSD-3-Clause
// Non-blocking allreduces around a ring, of non-blocking messages.
#include <array>
#include <cassert>
#include <exception>
#include <vector>

#include "comm/nonblocking_allreduce.hpp"
#include "comm/transfer.hpp"
#include "core/aligned.hpp"

namespace lockstep::comm {
namespace {

class RingNonblockingAllreduce final : public NonblockingAllreduce {
 public:
  RingNonblockingAllreduce(const Communicator& comm, std::size_t most, std::size_t most_floats)
      : comm_(comm.split(0)),
        next_((comm_.rank() + 1) % comm_.size()),
        previous_((comm_.rank() + comm_.size() - 1) % comm_.size()),
        sums_(most),
        requests_(most, {MPI_REQUEST_NULL, MPI_REQUEST_NULL}),
        incoming_(most_floats / comm_.size() + most) {}
  ~RingNonblockingAllreduce() override {
    if (started_ > 0 && std::uncaught_exceptions() == 0) wait();
  }

  void start(std::span<float> inout) override {
    assert(started_ < sums_.size());
    const std::size_t slice_floats = slices_length(inout.size(), comm_.size(), 0);
    assert(incoming_in_use_ + slice_floats <= incoming_.size());
    sums_[started_] = {.inout = inout,
                       .incoming = std::span(incoming_).subspan(incoming_in_use_, slice_floats)};
    incoming_in_use_ += slice_floats;
    ++started_;
    if (!is_done(started_ - 1)) send_step(started_ - 1);
  }

  [[nodiscard]] std::size_t progress() override {
    std::size_t done_floats = 0;
    for (std::size_t i = 0; i < started_; ++i) {
      while (!is_done(i) && has_arrived(i)) {
        end_step(i);
        if (!is_done(i)) send_step(i);
      }
      if (is_done(i)) done_floats += sums_[i].inout.size();
    }
    return done_floats;
  }

  void finish() override {
    wait();
    started_ = 0;
    incoming_in_use_ = 0;
  }

  [[nodiscard]] std::string_view name() const override { return "ring, overlapped"; }

 private:
  struct Sum {
    std::span<float> inout, incoming;  // a slice from the previous rank, to be added
    std::size_t step = 0;              // that is on its way, or the number of all
  };

  // Half of the steps sum the slices, the other half pass the sums on.
  [[nodiscard]] std::size_t half() const { return comm_.size() - 1; }
  [[nodiscard]] bool is_done(std::size_t i) const { return sums_[i].step == 2 * half(); }
  // Slice k is sent by rank k in step 0, by the rank after it in step 1, and so on.
  [[nodiscard]] std::span<float> slice(std::size_t i, std::size_t sender) const {
    const std::size_t ranks = comm_.size();
    return slices(sums_[i].inout, ranks, (sender + 2 * ranks - sums_[i].step) % ranks);
  }

  void send_step(std::size_t i) {
    const Sum& sum = sums_[i];
    const std::span<float> out = slice(i, comm_.rank());
    const std::span<float> own = slice(i, previous_);
    const std::span<float> in = sum.step < half() ? sum.incoming.first(own.size()) : own;
    const int tag = to_mpi_int(i, "sums");
    check(MPI_Irecv(in.data(), to_mpi_int(in.size(), "floats"), MPI_FLOAT, to_mpi_int(previous_, "ranks"),
                    tag, comm_.handle(), &requests_[i][0]),
          "MPI_Irecv");
    check(MPI_Isend(out.data(), to_mpi_int(out.size(), "floats"), MPI_FLOAT, to_mpi_int(next_, "ranks"), tag,
                    comm_.handle(), &requests_[i][1]),
          "MPI_Isend");
  }

  [[nodiscard]] bool has_arrived(std::size_t i) {
    int done = 0;
    check(MPI_Testall(2, requests_[i].data(), &done, MPI_STATUSES_IGNORE), "MPI_Testall");
    return done != 0;
  }

  void end_step(std::size_t i) {
    Sum& sum = sums_[i];
    if (sum.step < half()) {
      const std::span<float> own = slice(i, previous_);
      add(own, sum.incoming.first(own.size()));
    }
    ++sum.step;
  }

  void wait() {
    for (std::size_t i = 0; i < started_; ++i)
      while (!is_done(i)) {
        check(MPI_Waitall(2, requests_[i].data(), MPI_STATUSES_IGNORE), "MPI_Waitall");
        (void)progress();
      }
  }

  Communicator comm_;  // of its own, for its tags
  std::size_t next_, previous_;
  std::vector<Sum> sums_;                             // [order of start()]
  std::vector<std::array<MPI_Request, 2>> requests_;  // [sum]: of the step that is on its way
  AlignedVector<float> incoming_;                     // of all sums
  std::size_t started_ = 0, incoming_in_use_ = 0;
};

}  // namespace

std::unique_ptr<NonblockingAllreduce> make_nonblocking_ring_allreduce(const Communicator& comm,
                                                                      std::size_t most,
                                                                      std::size_t most_floats) {
  return std::make_unique<RingNonblockingAllreduce>(comm, most, most_floats);
}

}  // namespace lockstep::comm
