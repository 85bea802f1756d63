// SPDX-License-Identifier: BSD-3-Clause
// The model's flat arrays as named tensors, and the way back.
#include "train/model_io.hpp"

#include <algorithm>
#include <vector>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "core/error.hpp"
#include "core/json.hpp"
#include "core/names.hpp"

namespace lockstep::train {
namespace {

std::string to_text(const std::string& name, const std::vector<std::size_t>& shape) {
  return fmt::format("{} [{}]", name, fmt::join(shape, ", "));
}

std::string first_of(const std::vector<std::string>& tensors) {
  constexpr std::size_t most = 4;
  const std::vector<std::string> shown(
      tensors.begin(), tensors.begin() + static_cast<std::ptrdiff_t>(std::min(tensors.size(), most)));
  return join(shown) + (tensors.size() > most ? fmt::format(" and {} more", tensors.size() - most) : "");
}

}  // namespace

record::ModelFile read_model_for(const nn::Model& model, const std::filesystem::path& path) {
  if (!std::filesystem::exists(path))
    throw ConfigError({"there is no model file " + path.string(), "a file that train --save-model wrote"});
  record::ModelFile file = record::read_model_file(path);
  std::vector<std::string> wanted, found;
  for (const nn::ModelTensorPlace& tensor : model.tensors())
    wanted.push_back(to_text(tensor.name, tensor.shape));
  for (const record::ModelTensor& tensor : file.tensors) found.push_back(to_text(tensor.name, tensor.shape));
  const auto missing_in = [](const std::vector<std::string>& all, const std::vector<std::string>& of) {
    std::vector<std::string> missing;
    std::ranges::copy_if(of, std::back_inserter(missing),
                         [&](const std::string& one) { return std::ranges::find(all, one) == all.end(); });
    return missing;
  };
  const auto wants = missing_in(found, wanted), has = missing_in(wanted, found);
  if (!wants.empty() || !has.empty())
    throw ConfigError({"the model in " + path.string() + " is another one than this",
                       wants.empty() ? "nothing more" : first_of(wants),
                       has.empty() ? "none of these" : first_of(has),
                       "--model as it was saved; layers go by their names"});
  return file;
}

void load_model(const comm::Communicator& ranks, nn::Model& model, const std::filesystem::path& path) {
  std::string failure;
  if (ranks.is_root()) {
    try {
      const record::ModelFile file = read_model_for(model, path);
      for (const nn::ModelTensorPlace& place : model.tensors()) {
        const auto tensor = std::ranges::find(file.tensors, place.name, &record::ModelTensor::name);
        const std::span<float> to = place.is_state ? model.layer_state() : model.parameters();
        std::ranges::copy(tensor->values, to.subspan(place.begin).begin());
      }
    } catch (const Error& error) {
      failure = error.what();
    }
  }
  ranks.agree_on_failure(failure);
  ranks.broadcast(model.parameters());
  ranks.broadcast(model.layer_state());
}

void save_model(const nn::Model& model, std::span<const float> values, const Json& description,
                const Json& provenance, const std::filesystem::path& path) {
  record::ModelFile file{.description = description, .provenance = provenance, .tensors = {}};
  for (const nn::ModelTensorPlace& place : model.tensors()) {
    const std::size_t begin = place.begin + (place.is_state ? model.parameter_count() : 0);
    const std::span<const float> own = values.subspan(begin, place.count);
    file.tensors.push_back({place.name, place.shape, place.is_state, {own.begin(), own.end()}});
  }
  record::write_model_file(file, path);
}

}  // namespace lockstep::train
