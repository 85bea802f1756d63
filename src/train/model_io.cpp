// SPDX-License-Identifier: BSD-3-Clause
// The model's flat arrays, divided into named tensors.
#include "train/model_io.hpp"

#include <algorithm>
#include <iterator>
#include <vector>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "core/error.hpp"
#include "core/json.hpp"
#include "core/names.hpp"
#include "train/failure.hpp"

namespace lockstep::train {
namespace {

// Of the texts in `all` that are not in `others` the first few, or `none`.
std::string missing(const std::vector<std::string>& all, const std::vector<std::string>& others,
                    const char* none) {
  std::vector<std::string> found;
  std::ranges::copy_if(all, std::back_inserter(found), [&](const std::string& text) {
    return std::ranges::find(others, text) == others.end();
  });
  if (found.empty()) return none;
  constexpr std::size_t most = 4;
  const std::size_t more = found.size() - std::min(found.size(), most);
  found.resize(found.size() - more);
  return join(found) + (more > 0 ? fmt::format(" and {} more", more) : "");
}

}  // namespace

record::ModelFile read_model_for(const nn::Model& model, const std::filesystem::path& path) {
  if (!std::filesystem::exists(path))
    throw ConfigError({"there is no model file " + path.string(), "a file that train --save-model wrote"});
  record::ModelFile file = record::read_model_file(path);
  std::vector<std::string> wanted, found;  // "linear1/weight [784, 256]"
  for (const nn::ModelTensorPlace& tensor : model.tensors())
    wanted.push_back(fmt::format("{} {}", tensor.name, tensor.shape));
  for (const record::ModelTensor& tensor : file.tensors)
    found.push_back(fmt::format("{} {}", tensor.name, tensor.shape));
  if (!std::ranges::is_permutation(wanted, found))
    throw ConfigError({"the file " + path.string() + " holds another model",
                       missing(wanted, found, "nothing more"), missing(found, wanted, "none of these"),
                       "give the --model that was saved; layers are matched by name"});
  return file;
}

void load_model(const comm::Communicator& ranks, nn::Model& model, const std::filesystem::path& path) {
  do_or_fail_together(ranks, [&] {
    if (!ranks.is_root()) return;
    const record::ModelFile file = read_model_for(model, path);
    for (const nn::ModelTensorPlace& place : model.tensors()) {
      const auto tensor = std::ranges::find(file.tensors, place.name, &record::ModelTensor::name);
      const std::span<float> to = place.is_state ? model.layer_state() : model.parameters();
      std::ranges::copy(tensor->values, to.subspan(place.begin).begin());
    }
  });
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
