// SPDX-License-Identifier: BSD-3-Clause
// The loop that step-wise algorithms have in common.
#pragma once

#include <optional>
#include <vector>

#include "algorithms/algorithm.hpp"
#include "core/aligned.hpp"
#include "data/batches.hpp"
#include "math/matrix.hpp"

namespace lockstep::algorithms {

/// An epoch of: gather a batch, forward and backward, exchange gradients, update, and whatever comes after a
/// step. Derived classes say how the epoch is divided and fill in the exchanges. Where no gradients are
/// exchanged and the optimizer's step is a plain one, the update is made by the backward pass.
class StepwiseAlgorithm : public Algorithm {
 public:
  void start(const Worker& worker) final;
  EpochStats run_epoch(std::uint32_t epoch) final;
  /// The parameters, the optimizer's state and the place in the epoch. A derived class with variables that
  /// outlive a step overrides this, calls it, and lists them.
  void describe_state(State& state) override;
  /// The parameters as they are; for algorithms whose ranks always agree.
  void export_parameters(std::span<float> out) override;
  [[nodiscard]] std::vector<std::size_t> batch_sizes() const final;
  [[nodiscard]] bool divides_batches() const final { return division() == data::Division::batches; }

 protected:
  /// One step: where it is, and what this rank does in it.
  struct Step {
    std::uint32_t epoch = 0;
    std::size_t index = 0;
    data::Batch batch;
    float learning_rate = 0.0F;
  };

  [[nodiscard]] virtual data::Division division() const = 0;
  /// How the ranks hold the parameters, and the optimizer's state for them.
  [[nodiscard]] virtual Holding holding() const { return {}; }
  /// Allocates what the algorithm needs beyond the loop. Collective.
  virtual void prepare() {}
  /// Before the first step of an epoch.
  virtual void before_epoch(std::uint32_t /*epoch*/) {}
  /// Trains a batch and updates the parameters; returns the batch's summed loss. Collective.
  virtual double train_step(const Step& step);
  /// True if exchange_gradients does something.
  [[nodiscard]] virtual bool exchanges_gradients() const { return false; }
  /// Between backward and update. A rank without samples in this step has zero gradients. Collective.
  virtual void exchange_gradients() {}
  /// Before the parameters are looked at: makes them the same on all ranks, if a step leaves that to the next
  /// one. Collective.
  virtual void settle() {}
  /// After the update; `batch` is what was trained. Collective.
  virtual void after_step(const data::Batch& /*batch*/) {}
  /// After an epoch's last step; `last` after the training's last. Collective.
  virtual void after_epoch(std::uint32_t /*epoch*/, bool /*last*/) {}

  [[nodiscard]] const Worker& worker() const { return *worker_; }
  [[nodiscard]] const data::BatchPlan& plan() const { return *plan_; }
  /// Trains from now on on parameters that lie elsewhere, with the same values, and is bound to them.
  void move_parameters(std::span<float> parameters);
  /// Charges the time until all ranks have come here to Phase::wait, then enters Phase::exchange. Collective.
  void wait_for_ranks() const;

  /// The pass, images and labels of a step's samples; `columns` of the images gathered into `pixels` [batch,
  /// features].
  struct Gathered {
    nn::ForwardContext pass;
    math::ConstMatrix pixels;
    std::span<const std::uint8_t> labels;
  };
  [[nodiscard]] Gathered gather(const Step& step, float* pixels, data::Range columns);
  /// Room for the largest batch.
  [[nodiscard]] float* pixels() { return pixels_.data(); }

 private:
  std::optional<Worker> worker_;
  std::optional<data::BatchPlan> plan_;
  EpochStats so_far_;                 // of the epoch that goes on; no steps between epochs
  AlignedVector<float> pixels_;       // [largest batch, features]
  std::vector<std::uint8_t> labels_;  // [largest batch]
};

}  // namespace lockstep::algorithms
