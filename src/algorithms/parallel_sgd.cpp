// SPDX-License-Identifier: BSD-3-Clause
// Gradient averaging: synchronous data-parallel SGD.
#include <algorithm>

#include "algorithms/epoch_mean.hpp"
#include "algorithms/overlap.hpp"
#include "algorithms/shared_step.hpp"
#include "algorithms/stepwise.hpp"
#include "algorithms/trial.hpp"
#include "core/error.hpp"

namespace lockstep::algorithms {
namespace {

/// Each global batch of `batch_size` samples is divided among the P ranks; the gradients, each already scaled
/// for the whole batch, are summed over the ranks and every rank makes the same update:
///     w <- w - rate * sum_i g_i.
/// The same as serial SGD at the same batch size, up to rounding, for every P (Zinkevich et al. 2010 name the
/// family; the synchronous form is that of Chen et al. 2016).
/// Exchanges, by the option `exchange`: "allreduce", one allreduce of all parameters a step, after which
/// every rank updates its own copy; or "shared", in which the ranks of a node share one copy (see
/// SharedStep). "auto" takes "shared" unless an allreduce or an overlap was asked for, or nodes have
/// different numbers of ranks. With allreduce "mpi" the exchange can overlap with the backward pass (see
/// OverlappedExchange); overlap "auto" tries both in the first steps and takes the faster.
class ParallelSgd final : public StepwiseAlgorithm {
 public:
  void describe(Fields& fields) override {
    fields.add("exchange", &exchange_, "an allreduce of gradients, or parameters that a node's ranks share")
        .one_of({"auto", "allreduce", "shared"});
    fields.add("overlap", &overlap_, "exchange gradients during the backward pass (with --allreduce mpi)")
        .one_of({"off", "on", "auto"});
    fields.add("bucket_floats", &bucket_floats_, "overlap: gradients that are exchanged together")
        .at_least(1);
  }

  void check(std::string_view allreduce_name) const override {
    if (overlap_ == "off") return;
    if (exchange_ == "shared")
      throw ConfigError({"overlap has nothing to do where parameters are shared", "--overlap off",
                         "--overlap " + overlap_, "--exchange allreduce --allreduce mpi"});
    if (allreduce_name != "mpi")
      throw ConfigError({"overlap needs the MPI library's non-blocking allreduce", "--allreduce mpi",
                         "--allreduce " + std::string(allreduce_name)});
  }

  [[nodiscard]] std::vector<Choice> choices() const override {
    std::vector<Choice> choices = {{"exchange", shared_ ? "shared" : "allreduce"}};
    if (overlapped_) choices.push_back({"overlap", overlap_ == "on" ? "on" : "tried in the first steps"});
    return choices;
  }

  [[nodiscard]] std::vector<Observation> observations() const override {
    std::vector<Observation> all = {
        {"sent_bytes", "bytes", "sent by the rank in this epoch", true, static_cast<double>(sent_bytes_)}};
    if (overlapped_)
      all.push_back({"hidden_share", "1",
                     "share of the gradients that were summed before the backward pass ended, mean over "
                     "overlapped steps",
                     true, hidden_share_.value()});
    return all;
  }

  void describe_state(State& state) override {
    StepwiseAlgorithm::describe_state(state);
    state.add("sent_bytes", &sent_bytes_);
    hidden_share_.describe_state(state, "hidden_share");
    trial_.describe_state(state, "overlap_trial");
    if (shared_) shared_->describe_state(state);
  }

 protected:
  [[nodiscard]] data::Division division() const override { return data::Division::batches; }
  [[nodiscard]] Holding holding() const override { return shared_ ? shared_->holding() : Holding{}; }

  void prepare() override {
    if (worker().ranks.size() == 1) return;
    check(worker().allreduce_name);
    if (wants_shared())
      prepare_shared();
    else if (overlap_ != "off")
      prepare_overlap();
  }

  void before_epoch(std::uint32_t /*epoch*/) override {
    sent_bytes_ = 0;
    hidden_share_.reset();
  }

  void settle() override {
    if (shared_) shared_->settle(worker());
  }

  double train_step(const Step& step) override {
    if (shared_) return train_shared(step);
    if (!overlapped_) return StepwiseAlgorithm::train_step(step);
    const double start_s = now_s();
    const bool overlaps = overlap_ == "on" || trial_.second_way();
    const double loss_sum = overlaps ? train_overlapped(step) : StepwiseAlgorithm::train_step(step);
    if (overlap_ == "auto") trial_.add(worker().ranks, now_s() - start_s);
    return loss_sum;
  }

  [[nodiscard]] bool exchanges_gradients() const override { return worker().ranks.size() > 1; }
  void exchange_gradients() override {
    if (!exchanges_gradients()) return;
    wait_for_ranks();
    worker().allreduce.sum(worker().gradients);
    sent_bytes_ += worker().allreduce.sent_bytes(worker().gradients.size());
  }

 private:
  [[nodiscard]] bool wants_shared() const {
    if (exchange_ != "auto") return exchange_ == "shared";
    return worker().allreduce_name == "auto" && overlap_ == "off" && nodes_are_alike(worker().ranks);
  }

  void prepare_shared() {
    if (!nodes_are_alike(worker().ranks))
      throw ConfigError({"exchange 'shared' needs as many ranks on every node", "nodes that are alike",
                         "nodes with different numbers of ranks",
                         "--exchange allreduce --allreduce hierarchical"});
    shared_.emplace(worker(), plan(), worker().ranks.node());
    move_parameters(shared_->parameters());
  }

  void prepare_overlap() {
    overlapped_.emplace(worker().ranks, worker().parameters.size(), bucket_floats_);
    ready_ = {.piece_floats = bucket_floats_, .call = [this](std::size_t first, std::size_t count) {
                overlapped_->ready(worker().gradients, first, count);
              }};
  }

  double train_shared(const Step& step) {
    const Rows rows = shared_->rows(plan(), step.index);
    const Gathered batch = gather(step, shared_->pixels(rows), shared_->own_columns());
    shared_->gather_others(worker(), plan(), step.index);
    sent_bytes_ += shared_->sent_bytes(rows);
    return shared_->train(worker(), batch.pass, rows, batch.labels,
                          worker().options.gradient_scale(step.batch.gradient_samples), step.learning_rate);
  }

  double train_overlapped(const Step& step) {
    const Worker& w = worker();
    double loss_sum = 0.0;
    if (step.batch.sample_ids.empty()) {
      w.phases.enter(Phase::compute);
      w.model.train({.training = true}, {pixels(), 0, w.samples.features}, {}, 1.0F,
                    {.first = 0, .values = w.gradients}, &ready_);
    } else {
      const Gathered batch = gather(step, pixels(), {0, w.samples.features});
      w.phases.enter(Phase::compute);
      loss_sum = w.model.train(batch.pass, batch.pixels, batch.labels,
                               w.options.gradient_scale(step.batch.gradient_samples),
                               {.first = 0, .values = w.gradients}, &ready_);
    }
    w.phases.enter(Phase::exchange);
    hidden_share_.add(overlapped_->finish());
    sent_bytes_ += w.allreduce.sent_bytes(w.gradients.size());
    w.phases.enter(Phase::update);
    w.optimizer.begin_step();
    w.optimizer.update(0, w.parameters, w.gradients, step.learning_rate);
    return loss_sum;
  }

  std::string exchange_ = "auto";
  std::string overlap_ = "off";
  std::size_t bucket_floats_ = 32768;
  std::optional<SharedStep> shared_;
  std::optional<OverlappedExchange> overlapped_;
  nn::GradientReady ready_;
  Trial trial_;
  std::size_t sent_bytes_ = 0;
  EpochMean hidden_share_;
};

}  // namespace

std::unique_ptr<Algorithm> make_parallel_sgd() { return std::make_unique<ParallelSgd>(); }

}  // namespace lockstep::algorithms
