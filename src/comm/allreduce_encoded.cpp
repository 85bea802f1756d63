// SPDX-License-Identifier: BSD-3-Clause
// An allreduce with encoded floats on the wire.
#include <vector>

#include "comm/allreduce_algorithms.hpp"
#include "comm/reduce_scatter.hpp"

namespace lockstep::comm {
namespace {

/// Encoded reduce-scatter, then an allgather of the encoded sums around a ring. All ranks decode the same
/// codes, so results are bitwise the same. Each sum is rounded once more than its parts. Sent per rank:
/// 2(P-1)/P * encoded bytes. Any P, any length.
class EncodedAllreduce final : public Allreduce {
 public:
  EncodedAllreduce(const Communicator& comm, const Codec& codec, std::size_t max_length)
      : comm_(comm),
        codec_(codec),
        reduce_scatter_(make_encoded_reduce_scatter(comm, codec, max_length)),
        slot_bytes_(codec.bytes(slices_length(max_length, comm.size(), 0))),
        codes_(slot_bytes_ * comm.size()) {}

  void sum(std::span<float> inout) override {
    const std::size_t ranks = comm_.size();
    if (ranks == 1) return;
    reduce_scatter_->sum(inout);
    const auto code = [&](std::size_t k) {
      return std::span(codes_).subspan(k * slot_bytes_, codec_.bytes(slices_length(inout.size(), ranks, k)));
    };
    codec_.encode(slices(inout, ranks, kept_slice(comm_)), code(kept_slice(comm_)));
    ring_allgather_slices(comm_, code);
    for (std::size_t k = 0; k < ranks; ++k) codec_.decode(code(k), slices(inout, ranks, k));
  }

  [[nodiscard]] std::string_view name(std::size_t /*length*/) const override { return "encoded"; }
  [[nodiscard]] std::size_t sent_bytes(std::size_t length) const override {
    const std::size_t ranks = comm_.size();
    if (ranks == 1) return 0;
    std::size_t bytes = reduce_scatter_->sent_bytes(length);
    for (std::size_t k = 0; k < ranks; ++k)
      if (k != (comm_.rank() + 2) % ranks) bytes += codec_.bytes(slices_length(length, ranks, k));
    return bytes;
  }

 private:
  const Communicator& comm_;
  const Codec& codec_;
  std::unique_ptr<ReduceScatter> reduce_scatter_;
  std::size_t slot_bytes_;        // an encoded slice
  std::vector<std::byte> codes_;  // [slice, slot_bytes_]
};

}  // namespace

std::unique_ptr<Allreduce> make_encoded_allreduce(const Communicator& comm, const Codec& codec,
                                                  std::size_t max_length) {
  return std::make_unique<EncodedAllreduce>(comm, codec, max_length);
}

}  // namespace lockstep::comm
