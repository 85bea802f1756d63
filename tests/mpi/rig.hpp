// SPDX-License-Identifier: BSD-3-Clause
// All that a rank trains with, small: what tests of algorithms have in common.
#pragma once

#include <cstdlib>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "algorithms/algorithm.hpp"
#include "algorithms/training_parts.hpp"
#include "comm/communicator.hpp"
#include "core/json.hpp"
#include "data/dataset.hpp"

namespace lockstep::algorithms {

inline const comm::Communicator& world() {
  static const auto* const ranks =
      new comm::Communicator(comm::Communicator::world());  // outlives MPI_Finalize
  return *ranks;
}
/// A communicator of this rank alone, for the serial side of a comparison.
inline const comm::Communicator& alone() {
  static const auto* const ranks = new comm::Communicator(world().split(world().rank()));
  return *ranks;
}

inline Json small_mlp() {
  return Json::parse(R"({
    "layers": [{"type": "flatten"},
               {"type": "linear", "units": 12},
               {"type": "leaky_relu", "slope": 0.3},
               {"type": "gaussian_dropout", "rate": 0.2},
               {"type": "linear", "units": 10}],
    "loss": "cross_entropy_logits"
  })");
}

inline Json small_cnn() {
  return Json::parse(R"({
    "layers": [{"type": "conv2d", "channels": 2, "kernel": 5, "stride": 3},
               {"type": "relu"},
               {"type": "flatten"},
               {"type": "linear", "units": 9},
               {"type": "tanh"},
               {"type": "linear", "units": 10}],
    "loss": "cross_entropy_logits"
  })");
}

/// A residual block with batch normalisation.
inline Json small_resnet() {
  return Json::parse(R"({
    "layers": [{"type": "conv2d", "channels": 3, "kernel": 5, "stride": 4},
               {"type": "batch_norm"},
               {"type": "relu", "name": "block"},
               {"type": "conv2d", "channels": 3, "kernel": 3, "padding": 1},
               {"type": "batch_norm", "name": "inner"},
               {"type": "add", "inputs": ["block", "inner"]},
               {"type": "relu"},
               {"type": "global_avg_pool2d"},
               {"type": "linear", "units": 10}],
    "loss": "cross_entropy_logits"
  })");
}

/// Models and optimizers that are tried together.
struct Combination {
  Json model;
  const char* optimizer;
  double momentum;
};
/// Each model and each optimizer at least once; all pairs of them where whole products are asked for
/// (`make test-long`).
inline std::vector<Combination> combinations() {
  const char* tests = std::getenv("LOCKSTEP_TESTS");
  if (tests == nullptr || tests != std::string("all"))
    return {{small_mlp(), "sgd", 0.0}, {small_cnn(), "sgd", 0.9}, {small_resnet(), "adamw", 0.0}};
  std::vector<Combination> all;
  for (const Json& model : {small_mlp(), small_cnn(), small_resnet()})
    for (const auto& [optimizer, momentum] : {std::pair{"sgd", 0.0}, {"sgd", 0.9}, {"adamw", 0.0}})
      all.push_back({model, optimizer, momentum});
  return all;
}

struct Settings {
  std::string algorithm;
  Json model = small_mlp();
  std::string optimizer = "sgd";
  std::size_t batch_size = 16;
  std::size_t epochs = 2;
  std::size_t samples = 193;  // divided neither by the batch size nor by any rank count tested
  std::string gradient = "mean";
  std::string batch_norm = "own";
  bool reproducible = false;
  std::string allreduce = "mpi";
  std::string gemm = "eigen";
  double momentum = 0.0;
  double learning_rate = 0.05;  // for gradients that are means
  Json options = Json::object();
  bool export_every_epoch = false;
};

/// An allreduce that remembers what the last long array was before it was summed.
class Recording final : public comm::Allreduce {
 public:
  Recording(std::unique_ptr<comm::Allreduce> real, std::size_t max_length) : real_(std::move(real)) {
    last.reserve(max_length);
  }
  void sum(std::span<float> inout) override {
    last.assign(inout.begin(), inout.end());
    real_->sum(inout);
  }
  [[nodiscard]] std::string_view name(std::size_t length) const override { return real_->name(length); }
  [[nodiscard]] std::size_t sent_bytes(std::size_t length) const override {
    return real_->sent_bytes(length);
  }
  std::vector<float> last;

 private:
  std::unique_ptr<comm::Allreduce> real_;
};

/// All that a rank trains with.
class Rig {
 public:
  Rig(const comm::Communicator& ranks, const Settings& settings)
      : settings_(settings),
        block_(load(settings)),
        dataset_(data::view_dataset(source(settings)->info(), block_)),
        // Adam's usual epsilon would blow up differences in rounding.
        optimizer_{.optimizer = settings.optimizer, .momentum = settings.momentum, .epsilon = 1e-2},
        options_{.batch_size = settings.batch_size,
                 .epochs = settings.epochs,
                 .seed = 1,
                 .gradient = settings.gradient,
                 .batch_norm = settings.batch_norm,
                 .reproducible = settings.reproducible},
        schedule_{.learning_rate = settings.gradient == "mean" ? settings.learning_rate : 0.002},
        parts_(ranks, dataset_,
               {.model_description = settings_.model,
                .training = options_,
                .optimizer = optimizer_,
                .schedule = schedule_,
                .gemm = settings.gemm,
                .allreduce = settings.allreduce,
                .max_batch = settings.batch_size},
               [&](std::size_t length) {
                 return std::make_unique<Recording>(comm::make_allreduce(settings.allreduce, ranks, length),
                                                    length);
               }) {}

  TrainingContext context() { return parts_.context(); }
  PhaseTimer& phases() { return parts_.phases(); }
  /// As they are now, where the algorithm left them in their place.
  std::vector<float> parameters() {
    const std::span<const float> now = parts_.context().parameters;
    return {now.begin(), now.end()};
  }
  /// Of the parameters and the layers' state.
  std::size_t exported_size() { return parts_.model().parameter_count() + parts_.model().state_count(); }
  const std::vector<float>& last_exchanged() {
    return dynamic_cast<const Recording&>(parts_.allreduce()).last;
  }

 private:
  static std::unique_ptr<data::DatasetSource> source(const Settings& settings) {
    return data::open_dataset(
        {.dataset = "synthetic", .synthetic_train = settings.samples, .synthetic_test = 1});
  }
  static std::vector<std::byte> load(const Settings& settings) {
    std::vector<std::byte> block(source(settings)->info().total_bytes());
    source(settings)->load(block);
    return block;
  }

  const Settings settings_;
  std::vector<std::byte> block_;
  data::Dataset dataset_;
  const nn::OptimizerOptions optimizer_;
  const TrainingOptions options_;
  const nn::ScheduleOptions schedule_;
  TrainingParts parts_;
};

}  // namespace lockstep::algorithms
