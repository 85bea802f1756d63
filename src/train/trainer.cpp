// SPDX-License-Identifier: BSD-3-Clause
// What is checked before a training, and the training.
#include "train/trainer.hpp"

#include <filesystem>
#include <system_error>
#include <utility>

#include <unistd.h>

#include "core/error.hpp"
#include "data/dataset.hpp"
#include "record/atomic_file.hpp"
#include "train/check.hpp"
#include "train/training.hpp"

namespace lockstep::train {

void check_training(const ResolvedConfig& config, const RunSettings& settings) {
  (void)check_parts(config, data::open_dataset(config.run.data)->info());
  const auto folder = std::filesystem::path(settings.launch.results) / config.run.experiment;
  std::error_code failure;
  std::filesystem::create_directories(folder, failure);
  if (failure || access(folder.c_str(), W_OK) != 0)
    throw ConfigError({"cannot write to the results folder " + folder.string(),
                       "a folder that this user may write", failure ? failure.message() : "no permission",
                       "--results names another one"});
  if (const std::string& model = settings.launch.save_model; !model.empty()) {
    record::create_folders_for(model);
    record::check_writable(model);
  }
}

int run_training(const comm::Communicator& ranks, ResolvedConfig& config, RunSettings settings) {
  return Training(ranks, config, std::move(settings)).run();
}

}  // namespace lockstep::train
