// SPDX-License-Identifier: BSD-3-Clause
// One allreduce of all gradients a step.
#include "algorithms/exchange/exchanges.hpp"
#include "algorithms/exchange/gradient_exchange.hpp"
#include "comm/allreduce_algorithms.hpp"
#include "comm/codec.hpp"

namespace lockstep::algorithms {
namespace {

/// After the backward pass all gradients are summed at once, by the configured allreduce, or by one that
/// writes them in fewer bytes; then every rank makes the same update of its own copy of the parameters.
class AllreduceExchange final : public GradientExchange {
 public:
  explicit AllreduceExchange(const ExchangeSetup& setup) : GradientExchange(setup) {
    if (const comm::Codec* const codec = comm::find_codec(setup.options.compress).codec)
      encoded_ = comm::make_encoded_allreduce(setup.context.ranks, *codec, setup.context.gradients.size());
  }
  [[nodiscard]] std::vector<Choice> choices() const override { return {{"exchange", "allreduce"}}; }

 protected:
  void sum_gradients(comm::Traffic& traffic) override {
    (encoded_ ? *encoded_ : context().allreduce).sum(context().gradients, traffic);
  }

 private:
  std::unique_ptr<comm::Allreduce> encoded_;
};

}  // namespace

std::unique_ptr<Exchange> make_allreduce_exchange(const ExchangeSetup& setup) {
  if (setup.options.overlap != "off") return make_overlapped_exchange(setup);
  return std::make_unique<AllreduceExchange>(setup);
}

}  // namespace lockstep::algorithms
