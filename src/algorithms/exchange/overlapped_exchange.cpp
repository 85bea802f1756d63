// SPDX-License-Identifier: BSD-3-Clause
// An allreduce of gradients during the backward pass.
#include "algorithms/epoch_mean.hpp"
#include "algorithms/exchange/exchanges.hpp"
#include "algorithms/exchange/gradient_buckets.hpp"
#include "algorithms/exchange/gradient_exchange.hpp"
#include "algorithms/trial.hpp"

namespace lockstep::algorithms {
namespace {

/// Gradients are summed in buckets as the backward pass finishes them (see GradientBuckets). Where it is left
/// to a trial, the first steps go one way and the other, and the faster one stays.
class OverlappedExchange final : public GradientExchange {
 public:
  explicit OverlappedExchange(const ExchangeSetup& setup)
      : GradientExchange(setup),
        is_tried_(setup.options.overlap == "auto"),
        buckets_(setup.context.ranks, setup.context.parameters.size(), setup.options.bucket_floats),
        ready_{.piece_floats = setup.options.bucket_floats,
               .call = [this](std::size_t first, std::size_t count) {
                 buckets_.ready(context().gradients, first, count);
               }} {}

  void begin_epoch() override { hidden_share_.reset(); }
  void describe_state(State& state) override {
    hidden_share_.describe_state(state, "hidden_share");
    trial_.describe_state(state, "overlap_trial");
  }
  void observe(std::vector<Observation>& to) const override {
    to.push_back({"hidden_share", "1",
                  "share of the gradients that were summed before the backward pass ended, mean over "
                  "overlapped steps",
                  true, hidden_share_.value()});
  }
  [[nodiscard]] std::vector<Choice> choices() const override {
    return {{"exchange", "allreduce"}, {"overlap", is_tried_ ? "tried in the first steps" : "on"}};
  }

 protected:
  [[nodiscard]] const nn::GradientReady* ready() override { return overlaps() ? &ready_ : nullptr; }
  void sum_gradients(comm::Traffic& traffic) override {
    if (!overlaps()) return context().allreduce.sum(context().gradients, traffic);
    context().phases.enter(Phase::exchange);
    hidden_share_.add(buckets_.finish());
    traffic.add_sent(context().allreduce.sent_bytes(context().gradients.size()), buckets_.name(),
                     context().gradients.size_bytes());
  }
  void step_done(double seconds) override {
    if (is_tried_) trial_.add(context().ranks, seconds);
  }

 private:
  [[nodiscard]] bool overlaps() const { return !is_tried_ || trial_.second_way(); }

  bool is_tried_;
  GradientBuckets buckets_;
  nn::GradientReady ready_;
  Trial trial_;
  EpochMean hidden_share_;
};

}  // namespace

std::unique_ptr<Exchange> make_overlapped_exchange(const ExchangeSetup& setup) {
  return std::make_unique<OverlappedExchange>(setup);
}

}  // namespace lockstep::algorithms
