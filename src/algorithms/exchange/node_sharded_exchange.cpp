// SPDX-License-Identifier: BSD-3-Clause
// The node-sharded step as an exchange.
#include "algorithms/exchange/batch_buffer.hpp"
#include "algorithms/exchange/exchanges.hpp"
#include "algorithms/exchange/node_sharded_step.hpp"
#include "core/error.hpp"

namespace lockstep::algorithms {
namespace {

/// The ranks of a node share one copy of the parameters. Each updates its own parts (NodeShardedStep).
class NodeShardedExchange final : public Exchange {
 public:
  explicit NodeShardedExchange(const ExchangeSetup& setup)
      : context_(setup.context),
        step_(setup.context, setup.plan, setup.context.ranks.node()),
        batch_(setup.context, setup.plan, BatchBuffer::Inputs::elsewhere),
        traffic_(setup.context.ranks, setup.context.phases) {
    setup.context.parameters = step_.parameters();
    setup.context.model.bind(step_.parameters(), setup.context.model.layer_state());
  }

  double train(const Step& step) override {
    const Rows rows = step_.rows(step.index);
    const GatheredBatch batch = batch_.gather(step, step_.inputs(rows), step_.own_columns());
    step_.gather_others(step.index);
    traffic_.add_sent(step_.sent_bytes(rows), "shared", context_.gradients.size_bytes());
    return step_.train(batch.context, rows, batch.examples.targets,
                       context_.options.gradient_scale(step.batch.gradient_samples), step.learning_rate);
  }
  void synchronize_parameters() override { step_.synchronize_parameters(); }
  [[nodiscard]] StateLayout layout() const override { return {step_.distribution(), step_.distribution()}; }
  [[nodiscard]] comm::Traffic* traffic() override { return &traffic_; }
  void describe_state(State& state) override { step_.describe_state(state); }
  [[nodiscard]] std::vector<Choice> choices() const override {
    return {{"exchange", "shared"},
            {"sharded_layers", step_.sharded_layers()},
            {"sharded_forward", step_.sharded_forward()}};
  }

 private:
  const TrainingContext& context_;
  NodeShardedStep step_;
  BatchBuffer batch_;
  comm::Traffic traffic_;
};

}  // namespace

std::unique_ptr<Exchange> make_node_sharded_exchange(const ExchangeSetup& setup) {
  if (!nodes_are_alike(setup.context.ranks))
    throw ConfigError({"exchange 'shared' needs as many ranks on every node", "nodes that are alike",
                       "nodes with different numbers of ranks",
                       "--exchange allreduce --allreduce hierarchical"});
  return std::make_unique<NodeShardedExchange>(setup);
}

}  // namespace lockstep::algorithms
