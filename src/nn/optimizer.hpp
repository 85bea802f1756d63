// SPDX-License-Identifier: BSD-3-Clause
// Optimizers over flat arrays, and learning-rate schedules.
#pragma once

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/options.hpp"
#include "core/work.hpp"

namespace lockstep::nn {

/// All settings of all optimizers; each takes those that it knows.
struct OptimizerOptions {
  std::string optimizer = "sgd";
  double momentum = 0.0;
  bool nesterov = false;
  double weight_decay = 0.0;
  double beta1 = 0.9;
  double beta2 = 0.999;
  double epsilon = 1e-8;

  void describe(Options& options);
};

/// A step that is no more than w = beta * w - rate * g. The code that computes g can make it.
struct PlainStep {
  float rate = 0.0F, beta = 1.0F;
};

/// What an optimizer remembers from step to step.
struct OptimizerState {
  struct Array {
    std::string name;
    std::span<float> values;  ///< one a parameter that it updates
  };
  std::vector<Array> arrays = {};
  std::size_t* steps = nullptr;  ///< how many it has begun, where it counts
};

/// Moves parameters against gradients. Holds its state for those parameters of a model that it updates.
class Optimizer {
 public:
  virtual ~Optimizer() = default;
  /// Makes room for the state of `count` parameters, all zero. Once, before the first step.
  virtual void allocate(std::size_t /*count*/) {}
  /// Begins a step; then every parameter is updated once, in one call or slice by slice.
  virtual void begin_step() {}
  /// Updates parameters, whose state is that of [place, place + parameters.size()).
  void update(std::size_t place, std::span<float> parameters, std::span<const float> gradients,
              float learning_rate) {
    (void)update_checked(place, parameters, gradients, learning_rate, {});
  }
  /// The same; `before`, if it is not empty, becomes what the parameters were, and the result is false if a
  /// gradient is not finite. Checking or copying by itself would read everything once more.
  [[nodiscard]] virtual bool update_checked(std::size_t place, std::span<float> parameters,
                                            std::span<const float> gradients, float learning_rate,
                                            std::span<float> before) = 0;
  /// The step at this learning rate if it is a plain one; update() need then not be called.
  [[nodiscard]] virtual std::optional<PlainStep> plain_step(float /*learning_rate*/) const { return {}; }
  /// What update() costs for so many parameters.
  [[nodiscard]] virtual Work work(std::size_t count) const = 0;
  /// The places of its state: what a checkpoint must hold.
  [[nodiscard]] virtual OptimizerState state() { return {}; }
};

struct OptimizerRow {
  std::string_view name;
  std::string_view help;
  std::unique_ptr<Optimizer> (*make)(const OptimizerOptions& options);
};

[[nodiscard]] std::span<const OptimizerRow> optimizer_table();
/// Throws ConfigError.
[[nodiscard]] std::unique_ptr<Optimizer> make_optimizer(const OptimizerOptions& options);

/// The learning rate over time.
struct ScheduleOptions {
  double learning_rate = 0.01;
  std::string schedule = "constant";
  double warmup_epochs = 0.0;
  double decay_epochs = 10.0;
  double decay_factor = 0.1;

  void describe(Options& options);
};

/// The rate at `epochs_done` (fractional) of `epochs`: linear warm-up from 0 over the first warmup_epochs,
/// then constant, step (times decay_factor every decay_epochs), or cosine (to 0 at the end; Loshchilov &
/// Hutter 2017).
[[nodiscard]] double learning_rate_at(const ScheduleOptions& options, double epochs_done, double epochs);

}  // namespace lockstep::nn
