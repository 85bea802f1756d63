// SPDX-License-Identifier: BSD-3-Clause
// Gradient averaging: synchronous data-parallel SGD.
#include "algorithms/stepwise.hpp"

namespace lockstep::algorithms {
namespace {

/// Each global batch of `batch_size` samples is divided among the P ranks; the gradients, each already scaled
/// for the whole batch, are summed over the ranks and every rank makes the same update:
///     w <- w - rate * sum_i g_i.
/// The same as serial SGD at the same batch size, up to rounding, for every P (Zinkevich et al. 2010 name the
/// family; the synchronous form is that of Chen et al. 2016). How the sum is made is the exchange's business.
class ParallelSgd final : public StepwiseAlgorithm {
 public:
  ParallelSgd() : StepwiseAlgorithm(data::Division::batches) {}

  void describe(Options& options) override { options_.describe(options); }
  void check(const TrainingOptions& training, std::string_view allreduce_name) const override {
    options_.check(training, allreduce_name);
  }

  [[nodiscard]] Capabilities capabilities() const override {
    Capabilities holds = StepwiseAlgorithm::capabilities();
    holds.equals_serial = options_.compress == "none";
    holds.deterministic =
        options_.overlap != "auto";  // the clock decides, and the two ways round differently
    return holds;
  }

  [[nodiscard]] std::vector<Observation> observations() const override {
    const comm::Traffic* const traffic = exchange().traffic();
    const auto sent = static_cast<double>(traffic != nullptr ? traffic->sent_bytes() : 0);
    std::vector<Observation> all = {{"sent_bytes", "bytes", "sent by the rank in this epoch", true, sent}};
    exchange().observe(all);
    return all;
  }

 protected:
  [[nodiscard]] std::unique_ptr<Exchange> prepare() override {
    return make_exchange({context(), plan(), options_});
  }

 private:
  ExchangeOptions options_;
};

}  // namespace

std::unique_ptr<Algorithm> make_parallel_sgd() { return std::make_unique<ParallelSgd>(); }

}  // namespace lockstep::algorithms
