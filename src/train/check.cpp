// SPDX-License-Identifier: BSD-3-Clause
// Checks across the keys of a configuration; single values are checked where they are set.
#include "train/check.hpp"

#include <filesystem>
#include <system_error>

#include <fmt/format.h>
#include <unistd.h>

#include "core/error.hpp"
#include "nn/model.hpp"
#include "record/atomic_file.hpp"
#include "train/model_io.hpp"

namespace lockstep::train {

void check_algorithm(const ResolvedConfig& config, std::size_t ranks) {
  const std::string& name = config.run.algorithm;
  if (ranks > 1 && !algorithms::find_algorithm(name).many_ranks)
    throw ConfigError({"algorithm " + name + " runs on one rank", "1 rank", fmt::format("{} ranks", ranks),
                       "mpiexec -n 1, or --algorithm parallel_sgd"});
  const bool divides_batches = config.algorithm->capabilities().divides_batches;
  constexpr std::size_t shards = algorithms::reproducible_shards;
  if (config.run.training.reproducible && divides_batches && shards % ranks != 0)
    throw ConfigError({"with --reproducible " + name + " runs on ranks that divide 8 shards of each batch",
                       "1, 2, 4 or 8 ranks", fmt::format("{} ranks", ranks)});
  if (ranks == 1) return;
  config.algorithm->check(config.run.allreduce);
  if (config.run.training.batch_norm == "sync" && !divides_batches)
    throw ConfigError(
        {"with " + name + " each rank makes its own batches, so there are no statistics over the ranks",
         "--batch-norm own", "--batch-norm sync", "--algorithm parallel_sgd"});
}

std::vector<math::GemmShape> check_parts(const ResolvedConfig& config, const data::DatasetInfo& data) {
  const auto gemm = math::make_gemm(config.run.gemm);
  (void)nn::make_optimizer(config.run.optimizer);
  const nn::Model model(config.model_description, {.input = data.shape,
                                                   .classes = data.classes,
                                                   .seed = config.run.training.seed,
                                                   .max_batch = 1,
                                                   .gemm = gemm.get()});
  if (config.run.training.reproducible && model.depends_on_batch() &&
      config.algorithm->capabilities().divides_batches)
    throw ConfigError({"batch normalisation depends on how a batch is divided, and cannot be --reproducible",
                       "a model without batch_norm layers", "--reproducible",
                       "or param_avg, whose ranks make their own batches"});
  if (!config.run.init_from.empty()) (void)read_model_for(model, config.run.init_from);
  return model.gemms(1);
}

void check_training(const ResolvedConfig& config, const LaunchOptions& launch) {
  (void)check_parts(config, data::open_dataset(config.run.data)->info());
  const auto folder = std::filesystem::path(launch.results) / config.run.experiment;
  std::error_code failure;
  std::filesystem::create_directories(folder, failure);
  if (failure || access(folder.c_str(), W_OK) != 0)
    throw ConfigError({"cannot write to the results folder " + folder.string(),
                       "a folder that this user may write", failure ? failure.message() : "no permission",
                       "--results names another one"});
  if (!launch.save_model.empty()) {
    record::create_folders_for(launch.save_model);
    record::check_writable(launch.save_model);
  }
}

}  // namespace lockstep::train
