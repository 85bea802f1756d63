// SPDX-License-Identifier: BSD-3-Clause
// A step of data-parallel SGD for ranks that share memory.
#pragma once

#include <memory>
#include <optional>

#include "algorithms/exchange/node_shards.hpp"
#include "algorithms/exchange/sharded_forward.hpp"
#include "algorithms/state.hpp"
#include "algorithms/training_context.hpp"
#include "algorithms/trial.hpp"
#include "comm/node_barrier.hpp"
#include "data/batches.hpp"
#include "nn/sharded_model.hpp"

namespace lockstep::algorithms {

/// What gradient averaging computes, with less traffic: the ranks of a node share one copy of the parameters,
/// of which each rank owns a part of every layer, and see the activations of each other's samples. A step is
///   1. where the model divides it (nn::ShardedModel), the forward pass of the first layer: what the rank's
///      part contributes for all the node's samples; wait;
///   2. forward and backward of the rank's own samples, up to the gradients of the activations, which are
///      published; wait;
///   3. for the rank's parts: the gradient over all the node's samples. Large fully connected layers compute
///      it at once out of the published activations (after Krizhevsky, "One weird trick for parallelizing
///      convolutional neural networks", 2014, which divides such layers among workers too); for other layers
///      the ranks' own gradients are summed. With several nodes, an allreduce among the ranks that own the
///      same parts;
///   4. the update of those parts, which a plain step makes while the gradient is computed; and a wait,
///      unless the next step begins with one.
/// So no gradient of a large fully connected layer is sent, or even stored, within a node. What others read
/// is written past the caches where a trial finds that quicker: a line that lies in another core's cache
/// would have to be taken away from it first. The sums are those of serial SGD at the global batch, up to
/// rounding.
class NodeShardedStep {
 public:
  /// Takes the parameters' present values. `node` holds the ranks that count as one node; they must share
  /// memory, and all nodes have equally many. Context and plan outlive it. Collective over all ranks.
  NodeShardedStep(const TrainingContext& context, const data::BatchPlan& plan, comm::Communicator node);

  /// All parameters, in memory that the node's ranks share.
  [[nodiscard]] std::span<float> parameters() const { return memory_.parameters(); }
  [[nodiscard]] std::size_t nodes() const { return across_.size(); }
  /// The parts of the parameters that this rank owns.
  [[nodiscard]] Distribution distribution() const { return own_.distribution(); }
  /// The layers whose gradients are computed shard by shard, and the one whose forward pass is: "linear1,
  /// linear2".
  [[nodiscard]] std::string sharded_layers() const;
  [[nodiscard]] std::string sharded_forward() const;
  void describe_state(State& state) { streams_.describe_state(state, "streams_trial"); }

  [[nodiscard]] Rows rows(std::size_t step) const { return samples_.rows(step); }
  /// [rows.own, width]: where this rank gathers its samples, and which columns of them it needs.
  [[nodiscard]] float* inputs(const Rows& rows) { return samples_.own(rows); }
  [[nodiscard]] data::Range own_columns() const;
  /// Gathers what the rank's parts need of the other ranks' samples.
  void gather_others(std::size_t step) { samples_.gather_others(step, own_.columns()); }

  /// Trains on the gathered samples and updates the parameters; returns the summed loss of the rank's
  /// samples. Until synchronize_parameters() or the next step only the rank's own parts are sure to be
  /// updated. Collective.
  double train(const nn::ForwardContext& pass, const Rows& rows, std::span<const std::int32_t> targets,
               float gradient_scale, float learning_rate);
  /// Waits until all parameters are updated, if the last step did not. Collective.
  void synchronize_parameters();
  /// Bytes that this rank writes for others in such a step.
  [[nodiscard]] std::size_t sent_bytes(const Rows& rows) const;

 private:
  [[nodiscard]] std::string layer_at(std::size_t parameter) const;
  void wait();
  void update_parts(const Rows& rows, float learning_rate, math::Stores stores);
  void sum_own_gradients(const Part& part, std::span<float> sum) const;

  const TrainingContext& context_;
  comm::Communicator node_;
  comm::Communicator across_;  // the ranks of all nodes that own the same parts
  NodeSamples samples_;
  nn::ShardedModel model_;
  Ownership own_;
  NodeMemory memory_;
  comm::NodeBarrier barrier_;
  std::unique_ptr<comm::Allreduce> allreduce_;  // with several nodes
  std::optional<ShardedForward> forward_;       // where the model shards it
  Trial streams_;                               // the second way: streamed stores
};

/// True if a step can be shared: every node has as many ranks as the others. Collective.
[[nodiscard]] bool nodes_are_alike(const comm::Communicator& ranks);

}  // namespace lockstep::algorithms
