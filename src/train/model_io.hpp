// SPDX-License-Identifier: BSD-3-Clause
// Saves a trained model to a file, and loads it.
#pragma once

#include <filesystem>
#include <span>

#include "comm/communicator.hpp"
#include "core/json_fwd.hpp"
#include "nn/model.hpp"
#include "record/model_file.hpp"

namespace lockstep::train {

/// Reads a model file. Throws ConfigError unless its tensors have the names and shapes of the tensors of
/// `model`. For one rank on behalf of all.
[[nodiscard]] record::ModelFile read_model_for(const nn::Model& model, const std::filesystem::path& path);

/// Copies the file's values, which rank 0 reads, to the model on all ranks. Throws AgreedError. Collective.
void load_model(const comm::Communicator& ranks, nn::Model& model, const std::filesystem::path& path);

/// Writes `values`: the model's parameters, and behind them its state. Throws Error. For one rank.
void save_model(const nn::Model& model, std::span<const float> values, const Json& description,
                const Json& provenance, const std::filesystem::path& path);

}  // namespace lockstep::train
