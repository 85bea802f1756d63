// SPDX-License-Identifier: BSD-3-Clause
// Gradient averaging: synchronous data-parallel SGD.
#include "algorithms/stepwise.hpp"

namespace lockstep::algorithms {
namespace {

/// Each global batch of `batch_size` samples is divided among the P ranks; the gradients, each already scaled
/// for the whole batch, are summed over the ranks and every rank makes the same update:
///     w <- w - rate * sum_i g_i.
/// The same as serial SGD at the same batch size, up to rounding, for every P (Zinkevich et al. 2010 name the
/// family; the synchronous form is that of Chen et al. 2016).
/// Exchanges: one allreduce of all parameters a step.
class ParallelSgd final : public StepwiseAlgorithm {
 public:
  [[nodiscard]] std::vector<Observation> observations() const override {
    return {
        {"sent_bytes", "bytes", "sent by the rank in this epoch", true, static_cast<double>(sent_bytes_)}};
  }

 protected:
  [[nodiscard]] data::Division division() const override { return data::Division::batches; }
  void before_epoch() override { sent_bytes_ = 0; }

  [[nodiscard]] bool exchanges_gradients() const override { return worker().ranks.size() > 1; }
  void exchange_gradients() override {
    if (!exchanges_gradients()) return;
    wait_for_ranks();
    worker().allreduce.sum(worker().gradients);
    sent_bytes_ += worker().allreduce.sent_bytes(worker().gradients.size());
  }

 private:
  std::size_t sent_bytes_ = 0;
};

}  // namespace

std::unique_ptr<Algorithm> make_parallel_sgd() { return std::make_unique<ParallelSgd>(); }

}  // namespace lockstep::algorithms
