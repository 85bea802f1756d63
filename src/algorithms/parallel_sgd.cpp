// SPDX-License-Identifier: BSD-3-Clause
// Gradient averaging: synchronous data-parallel SGD.
#include "algorithms/shared_step.hpp"
#include "algorithms/stepwise.hpp"
#include "core/error.hpp"

namespace lockstep::algorithms {
namespace {

/// Each global batch of `batch_size` samples is divided among the P ranks; the gradients, each already scaled
/// for the whole batch, are summed over the ranks and every rank makes the same update:
///     w <- w - rate * sum_i g_i.
/// The same as serial SGD at the same batch size, up to rounding, for every P (Zinkevich et al. 2010 name the
/// family; the synchronous form is that of Chen et al. 2016).
/// Exchanges, by the option `exchange`: "allreduce", one allreduce of all parameters a step, after which
/// every rank updates its own copy; or "shared", in which ranks of a node share one copy (see SharedStep).
/// "auto" takes "shared" unless an allreduce was asked for by name, or nodes have different numbers of ranks.
class ParallelSgd final : public StepwiseAlgorithm {
 public:
  void describe(Fields& fields) override {
    fields.add("exchange", &exchange_, "allreduce of gradients, or parameters that a node's ranks share")
        .one_of({"auto", "allreduce", "shared"});
  }
  [[nodiscard]] std::vector<Observation> observations() const override {
    return {
        {"sent_bytes", "bytes", "sent by the rank in this epoch", true, static_cast<double>(sent_bytes_)}};
  }
  [[nodiscard]] Json choices() const override { return {{"exchange", shared_ ? "shared" : "allreduce"}}; }

 protected:
  [[nodiscard]] data::Division division() const override { return data::Division::batches; }
  void before_epoch() override { sent_bytes_ = 0; }

  void prepare() override {
    if (worker().ranks.size() == 1 || exchange_ == "allreduce") return;
    if (exchange_ == "auto" && worker().allreduce_name != "auto") return;
    if (!nodes_are_alike(worker().ranks)) {
      if (exchange_ == "auto") return;
      throw ConfigError({"exchange 'shared' needs as many ranks on every node", "nodes that are alike",
                         "nodes with different numbers of ranks",
                         "--exchange allreduce --allreduce hierarchical"});
    }
    shared_.emplace(worker(), plan(), worker().ranks.node());
    move_parameters(shared_->parameters());
  }

  double train_step(const Step& step) override {
    if (!shared_) return StepwiseAlgorithm::train_step(step);
    const SharedStep::Rows rows = shared_->rows(plan(), step.index);
    const Gathered batch = gather(step, shared_->pixels(rows));
    shared_->gather_others(worker(), plan(), step.index);
    sent_bytes_ += shared_->sent_bytes(rows);
    return shared_->train(worker(), batch.pass, rows, batch.labels,
                          worker().options.gradient_scale(step.batch.gradient_samples), step.learning_rate);
  }

  [[nodiscard]] bool exchanges_gradients() const override { return worker().ranks.size() > 1; }
  void exchange_gradients() override {
    if (!exchanges_gradients()) return;
    wait_for_ranks();
    worker().allreduce.sum(worker().gradients);
    sent_bytes_ += worker().allreduce.sent_bytes(worker().gradients.size());
  }

 private:
  std::string exchange_ = "auto";
  std::optional<SharedStep> shared_;
  std::size_t sent_bytes_ = 0;
};

}  // namespace

std::unique_ptr<Algorithm> make_parallel_sgd() { return std::make_unique<ParallelSgd>(); }

}  // namespace lockstep::algorithms
