// SPDX-License-Identifier: BSD-3-Clause
// Reduce-scatter of encoded slices, each straight to its keeper.
#include <vector>

#include "comm/messages.hpp"
#include "comm/reduce_scatter.hpp"

namespace lockstep::comm {
namespace {

constexpr int encoded_slices = 1;  // tag

class EncodedReduceScatter final : public ReduceScatter {
 public:
  EncodedReduceScatter(const Communicator& comm, const Codec& codec, std::size_t max_length)
      : comm_(comm),
        codec_(codec),
        max_length_(max_length),
        slot_bytes_(codec.bytes(slices_length(max_length, comm.size(), 0))),
        outgoing_(slot_bytes_ * comm.size()),
        incoming_(slot_bytes_ * comm.size()),
        messages_(comm, 2 * comm.size(), encoded_slices) {
    (void)to_mpi_int(slot_bytes_, "bytes in a message");
  }

  void sum(std::span<float> inout) override {
    check_length(inout.size(), max_length_);
    const std::size_t ranks = comm_.size();
    const std::span<float> kept = slices(inout, ranks, kept_slice(comm_));
    const auto place = [&](std::vector<std::byte>& of, std::size_t rank, std::size_t length) {
      return std::span(of).subspan(rank * slot_bytes_, codec_.bytes(length));
    };
    for (std::size_t k = 1; k < ranks; ++k) {
      const std::size_t from = (comm_.rank() + ranks - k) % ranks;
      messages_.receive(from, place(incoming_, from, kept.size()), from);
    }
    for (std::size_t k = 1; k < ranks; ++k) {
      const std::size_t to = (comm_.rank() + k) % ranks;
      const std::span<const float> slice = slices(inout, ranks, (to + 1) % ranks);
      const std::span<std::byte> code = place(outgoing_, to, slice.size());
      codec_.encode(slice, code);
      messages_.send(ranks + to, code, to);
    }
    messages_.wait_all();
    for (std::size_t k = 1; k < ranks; ++k)
      codec_.decode_add(place(incoming_, (comm_.rank() + k) % ranks, kept.size()), kept);
  }

  [[nodiscard]] std::size_t sent_bytes(std::size_t length) const override {
    std::size_t bytes = 0;
    for (std::size_t k = 0; k < comm_.size(); ++k)
      if (k != kept_slice(comm_)) bytes += codec_.bytes(slices_length(length, comm_.size(), k));
    return bytes;
  }

 private:
  const Communicator& comm_;
  const Codec& codec_;
  std::size_t max_length_;
  std::size_t slot_bytes_;                      // an encoded slice
  std::vector<std::byte> outgoing_, incoming_;  // [rank, slot_bytes_]
  Messages messages_;
};

}  // namespace

std::unique_ptr<ReduceScatter> make_encoded_reduce_scatter(const Communicator& comm, const Codec& codec,
                                                           std::size_t max_length) {
  return std::make_unique<EncodedReduceScatter>(comm, codec, max_length);
}

}  // namespace lockstep::comm
