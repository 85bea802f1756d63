// SPDX-License-Identifier: BSD-3-Clause
// What exchanges of whole gradients have in common.
#pragma once

#include <array>

#include "algorithms/exchange/batch_buffer.hpp"
#include "algorithms/exchange/exchange.hpp"

namespace lockstep::algorithms {

/// A step of: gather, forward and backward, sum of the gradients over the ranks, update. Each gradient is
/// already scaled for the whole step, so that the sum is what serial SGD computes.
class GradientExchange : public Exchange {
 public:
  double train(const Step& step) final;
  [[nodiscard]] comm::Traffic* traffic() final { return &traffic_; }

 protected:
  explicit GradientExchange(const ExchangeSetup& setup);

  /// Computes the context's gradients, of this rank's samples of a step; returns their summed loss.
  [[nodiscard]] virtual double compute_gradients(const Step& step);
  /// The gradients of some of those samples, in `gradients`.
  [[nodiscard]] double gradients_of(const Step& step, std::span<const std::uint32_t> sample_ids,
                                    std::span<float> gradients);
  /// What the backward pass is to call when a part of the gradients is ready, if anything.
  [[nodiscard]] virtual const nn::GradientReady* ready() { return nullptr; }
  /// The context's gradients, of this rank's samples, become sums over all ranks, where this rank updates.
  /// Collective.
  virtual void sum_gradients(comm::Traffic& traffic) = 0;
  /// The parameters that this rank updates.
  [[nodiscard]] virtual data::Range updated() const { return {0, context_.parameters.size()}; }
  /// After the update: gives the other ranks what this one updated. Collective.
  virtual void share_parameters(comm::Traffic& /*traffic*/) {}
  /// After a step, which took `seconds`. Collective.
  virtual void step_done(double /*seconds*/) {}

  [[nodiscard]] const TrainingContext& context() const { return context_; }
  [[nodiscard]] const data::BatchPlan& plan() const { return plan_; }

 private:
  /// Updates the parameters in blocks, and stops before a block whose gradient is not finite.
  void update(const Step& step);
  /// Computes this rank's own gradient once more, to see whether it is the one.
  void find_trouble(const Step& step);

  const TrainingContext& context_;
  const data::BatchPlan& plan_;
  BatchBuffer batch_;
  comm::Traffic traffic_;
  alignas(cache_line_bytes) std::array<float, 2048> block_before_{};  // parameters, before their update
};

}  // namespace lockstep::algorithms
