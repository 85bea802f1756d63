// SPDX-License-Identifier: BSD-3-Clause
// A trained model as an HDF5 file. The layout is in docs/models.md.
#pragma once

#include <cstddef>
#include <filesystem>
#include <string>
#include <vector>

#include "core/json.hpp"

namespace lockstep::record {

/// A named array of numbers, e.g. "linear1/weight" [784, 256].
struct ModelTensor {
  std::string name;
  std::vector<std::size_t> shape;
  bool is_state = false;  ///< layer state, such as a running mean, rather than a parameter
  std::vector<float> values;
};

struct ModelFile {
  Json description = Json::object();  ///< layers and loss
  Json provenance = Json::object();   ///< of the training, for people
  std::vector<ModelTensor> tensors;
};

/// Writes the file under a temporary name and renames it; creates folders. Throws Error.
void write_model_file(const ModelFile& model, const std::filesystem::path& path);
/// Throws Error for anything but a model file.
[[nodiscard]] ModelFile read_model_file(const std::filesystem::path& path);

}  // namespace lockstep::record
