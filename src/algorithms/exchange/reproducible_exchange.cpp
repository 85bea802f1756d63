// SPDX-License-Identifier: BSD-3-Clause
// Sums of gradients that do not depend on how many ranks there are.
#include <vector>

#include "algorithms/exchange/exchanges.hpp"
#include "algorithms/exchange/gradient_exchange.hpp"
#include "comm/allreduce_algorithms.hpp"
#include "comm/transfer.hpp"
#include "core/aligned.hpp"

namespace lockstep::algorithms {
namespace {

/// A batch is divided into V = 8 shards, whatever the number of ranks P, a power of two up to V. Each shard's
/// gradient is computed by itself, and the V gradients are summed by a balanced binary tree:
///     ((g0 + g1) + (g2 + g3)) + ((g4 + g5) + (g6 + g7)).
/// A rank has V/P shards one after another, hence whole subtrees, and sums them; what is above them is
/// recursive doubling between ranks. So all additions are the same for every P, serial SGD included. The
/// cost: products of V times fewer rows, and lg P steps that send the whole gradient. Memory: lg(V/P)
/// gradients.
class ReproducibleExchange final : public GradientExchange {
 public:
  explicit ReproducibleExchange(const ExchangeSetup& setup)
      : GradientExchange(setup),
        shards_(reproducible_shards / setup.context.ranks.size()),
        first_(setup.context.ranks.rank() * shards_),
        between_ranks_(
            comm::make_recursive_doubling_allreduce(setup.context.ranks, setup.context.gradients.size())) {
    for (std::size_t level = 1; level < shards_; level *= 2)
      partial_sums_.emplace_back(setup.context.gradients.size());
  }
  [[nodiscard]] std::vector<Choice> choices() const override { return {{"exchange", "reproducible"}}; }

 protected:
  double compute_gradients(const Step& step) override {
    return sum_shards(step, first_, shards_, context().gradients, 0);
  }
  void sum_gradients(comm::Traffic& traffic) override {
    if (context().ranks.size() > 1) between_ranks_->sum(context().gradients, traffic);
  }

 private:
  // `sum` becomes that of `count` shards from `first` on; partial sums from `level` on are free.
  double sum_shards(const Step& step, std::size_t first, std::size_t count, std::span<float> sum,
                    std::size_t level) {
    if (count == 1) return gradients_of(step, plan().part(step.index, first), sum);
    const std::span<float> second = partial_sums_[level];
    double loss_sum = sum_shards(step, first, count / 2, sum, level + 1);
    loss_sum += sum_shards(step, first + count / 2, count / 2, second, level + 1);
    comm::add(sum, second);
    return loss_sum;
  }

  std::size_t shards_, first_;  // this rank's
  std::unique_ptr<comm::Allreduce> between_ranks_;
  std::vector<AlignedVector<float>> partial_sums_;
};

}  // namespace

std::unique_ptr<Exchange> make_reproducible_exchange(const ExchangeSetup& setup) {
  return std::make_unique<ReproducibleExchange>(setup);
}

}  // namespace lockstep::algorithms
