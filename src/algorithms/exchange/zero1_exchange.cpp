// SPDX-License-Identifier: BSD-3-Clause
// Optimizer state that is divided among the ranks.
#include "algorithms/exchange/exchanges.hpp"
#include "algorithms/exchange/gradient_exchange.hpp"
#include "comm/codec.hpp"
#include "comm/reduce_scatter.hpp"

namespace lockstep::algorithms {
namespace {

/// ZeRO stage 1 (Rajbhandari et al., "ZeRO: memory optimizations toward training trillion parameter models",
/// SC 2020): a reduce-scatter gives each rank the summed gradients of one slice of the parameters; it updates
/// these, with an optimizer that has state for them alone; an allgather hands them to all. Sent per rank and
/// step: 2(P-1)/P * bytes, as by a ring allreduce, whose sums these are, bit for bit. Compressed, the
/// gradients take fewer bytes; parameters are floats.
class Zero1Exchange final : public GradientExchange {
 public:
  explicit Zero1Exchange(const ExchangeSetup& setup)
      : GradientExchange(setup), count_(setup.context.parameters.size()) {
    const comm::Communicator& ranks = setup.context.ranks;
    const comm::Codec* const codec = comm::find_codec(setup.options.compress).codec;
    reduce_scatter_ = codec != nullptr ? comm::make_encoded_reduce_scatter(ranks, *codec, count_)
                                       : comm::make_ring_reduce_scatter(ranks, count_);
    const std::size_t slice = comm::kept_slice(ranks);
    own_ = {comm::begin_of(count_, ranks.size(), slice), comm::begin_of(count_, ranks.size(), slice + 1)};
  }

  [[nodiscard]] StateLayout layout() const override {
    return {
        .parameters = {},
        .optimizer = {
            .kind = Distribution::Kind::sharded,
            .blocks = {{.begin = 0, .count = count_, .part_begin = own_.begin, .part_count = own_.size()}}}};
  }
  [[nodiscard]] std::vector<Choice> choices() const override { return {{"exchange", "zero1"}}; }

 protected:
  void sum_gradients(comm::Traffic& traffic) override {
    traffic.begin_exchange();
    reduce_scatter_->sum(context().gradients);
    traffic.add_sent(reduce_scatter_->sent_bytes(count_), "reduce_scatter", context().gradients.size_bytes());
  }
  [[nodiscard]] data::Range updated() const override { return own_; }
  void share_parameters(comm::Traffic& traffic) override {
    context().phases.enter(Phase::exchange);
    comm::ring_allgather(context().ranks, context().parameters);
    traffic.add_sent(comm::ring_allgather_length(context().ranks, count_) * sizeof(float), "allgather",
                     context().parameters.size_bytes());
  }

 private:
  std::size_t count_;
  std::unique_ptr<comm::ReduceScatter> reduce_scatter_;
  data::Range own_;
};

}  // namespace

std::unique_ptr<Exchange> make_zero1_exchange(const ExchangeSetup& setup) {
  return std::make_unique<Zero1Exchange>(setup);
}

}  // namespace lockstep::algorithms
