// SPDX-License-Identifier: BSD-3-Clause
// How the ranks of a node divide a step: the parameters that each owns, the rows of each rank's samples, and
// the memory that they share.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "algorithms/state.hpp"
#include "comm/communicator.hpp"
#include "comm/shared_window.hpp"
#include "core/aligned.hpp"
#include "data/batches.hpp"
#include "nn/sharded_model.hpp"

namespace lockstep::algorithms {

/// Parameters [begin, begin + count) of one layer that a rank owns.
struct Part {
  std::size_t begin = 0, count = 0;
};

/// Where a rank's samples of a step lie among those of its node.
struct Rows {
  std::size_t first = 0, own = 0, all = 0;
};

/// The parts of the parameters that each rank of a node owns: of layers that are sharded whole groups of
/// rows, of others whole cache lines.
class Ownership {
 public:
  /// What this rank owns of a layer's parameters.
  struct Owned {
    nn::ShardedBlock block;
    Part part;
    std::size_t place = 0;  ///< of its gradients, and of the optimizer's state, among those of all parts
  };

  Ownership(const nn::ShardedModel& model, std::size_t rank, std::size_t ranks);

  /// One a block.
  [[nodiscard]] const std::vector<Owned>& owned() const { return owned_; }
  /// Parameters of all parts.
  [[nodiscard]] std::size_t count() const { return owned_.back().place + owned_.back().part.count; }
  /// From the first block that is not sharded, whose gradients are summed over the ranks, to the last one.
  [[nodiscard]] const Part& summed() const { return summed_; }
  /// The columns of the samples that the parts depend on, where sharded.
  [[nodiscard]] data::Range columns() const { return columns_; }
  /// Of the first block: the parts of all ranks.
  [[nodiscard]] const std::vector<Part>& first_parts() const { return first_parts_; }
  [[nodiscard]] Distribution distribution() const;

 private:
  std::vector<Owned> owned_;
  Part summed_;
  data::Range columns_;
  std::vector<Part> first_parts_;
};

/// The samples of all ranks of a node in a step: own ones that a rank gathers for itself, and of the others'
/// the columns that its parts depend on.
class NodeSamples {
 public:
  /// `samples` and `plan` outlive it; `node` is a part of `ranks`. Collective over `node`.
  NodeSamples(const data::Samples& samples, const data::BatchPlan& plan, const comm::Communicator& ranks,
              const comm::Communicator& node);

  /// Of the node in any step.
  [[nodiscard]] std::size_t most_rows() const { return most_rows_; }
  [[nodiscard]] Rows rows(std::size_t step) const;
  /// [rows.own, width]: where this rank gathers its samples.
  [[nodiscard]] float* own(const Rows& rows) { return inputs_.data() + rows.first * samples_.inputs.width; }
  [[nodiscard]] math::ConstMatrix own(const Rows& rows) const {
    return {inputs_.data() + rows.first * samples_.inputs.width, rows.own, samples_.inputs.width};
  }
  /// [rows.all, width]
  [[nodiscard]] math::ConstMatrix all(const Rows& rows) const {
    return {inputs_.data(), rows.all, samples_.inputs.width};
  }
  /// Gathers `columns` of the other ranks' samples.
  void gather_others(std::size_t step, data::Range columns);

 private:
  const data::Samples& samples_;
  const data::BatchPlan& plan_;
  std::vector<std::size_t> members_;  // of the node: their ranks in the job
  std::size_t rank_;                  // of the node
  std::size_t most_rows_;
  AlignedVector<float> inputs_;  // [most_rows_, width]
};

/// Memory that the ranks of a node share: parameters, activations, and each rank's own gradients.
class NodeMemory {
 public:
  /// Collective over `node`, which outlives it.
  NodeMemory(const comm::Communicator& node, std::size_t parameters, std::size_t activations,
             std::size_t gradients);

  [[nodiscard]] std::span<float> parameters() const { return parameters_; }
  [[nodiscard]] std::span<float> activations() const { return activations_; }
  [[nodiscard]] std::span<float> gradients_of(std::size_t rank) const {
    return gradients_.subspan(rank * (gradients_.size() / ranks_), gradient_count_);
  }
  /// What any rank wrote before is visible to all after. Collective over the node.
  void fence() const { window_.fence(); }

 private:
  std::size_t ranks_, gradient_count_;
  comm::SharedWindow window_;
  std::span<float> parameters_, activations_, gradients_;  // each begins on a cache line; [rank, gradients]
};

}  // namespace lockstep::algorithms
