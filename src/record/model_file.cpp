// SPDX-License-Identifier: BSD-3-Clause
// Parameters by layer and name.
#include "record/model_file.hpp"

#include "core/build_info.hpp"
#include "core/error.hpp"
#include "core/json.hpp"
#include "core/json_text.hpp"
#include "record/atomic_file.hpp"
#include "record/file_checksum.hpp"
#include "record/hdf5.hpp"

namespace lockstep::record {
namespace {

constexpr int newest_version = 1;

constexpr const char* group_name(bool state) { return state ? "state" : "parameters"; }

void write_tensors(const hdf5::Handle& file, const ModelFile& model, bool state) {
  const hdf5::Handle group = hdf5::create_group(file, group_name(state));
  for (const ModelTensor& tensor : model.tensors) {
    if (tensor.is_state != state) continue;
    const std::size_t slash = tensor.name.find('/');
    const std::string layer = tensor.name.substr(0, slash);
    const bool known = hdf5::has_member(group, layer);
    const hdf5::Handle place = known ? hdf5::open_group(group, layer) : hdf5::create_group(group, layer);
    hdf5::write_floats(place, tensor.name.substr(slash + 1), tensor.values, tensor.shape);
  }
}

void read_tensors(const hdf5::Handle& file, ModelFile& model, bool state) {
  const hdf5::Handle group = hdf5::open_group(file, group_name(state));
  for (const std::string& layer : hdf5::member_names(group)) {
    const hdf5::Handle place = hdf5::open_group(group, layer);
    for (const std::string& name : hdf5::member_names(place)) {
      const hdf5::Handle dataset = hdf5::open_dataset(place, name);
      model.tensors.push_back({.name = layer + "/" + name,
                               .shape = hdf5::shape_of(dataset),
                               .is_state = state,
                               .values = hdf5::read_floats(dataset)});
    }
  }
}

}  // namespace

void write_model_file(const ModelFile& model, const std::filesystem::path& path) {
  const hdf5::Handle file = hdf5::create_file_in_memory();
  hdf5::write_attribute(file, "checksum", std::string(checksum_note));
  hdf5::write_attribute(file, "model_version", newest_version);
  hdf5::write_attribute(file, "creator", "lockstep " + std::string(build_info::version));
  hdf5::write_text(file, "model", hdf5::json_text(model.description));
  hdf5::write_group(file, "provenance", model.provenance);
  write_tensors(file, model, false);
  write_tensors(file, model, true);
  std::vector<std::byte> bytes = hdf5::file_image(file);
  append_checksum(bytes);
  create_folders_for(path);
  replace_file(path, bytes, Durability::survives_power_loss);
}

ModelFile read_model_file(const std::filesystem::path& path) {
  try {
    const std::vector<std::byte> bytes = read_bytes(path);
    if (compare_checksum(bytes) == Checksum::wrong)
      throw Error({.what = "the file is damaged",
                   .expected = "contents with the SHA-256 at its end",
                   .got = "other contents",
                   .hint = "it was cut short or changed after it was written"});
    const hdf5::Handle file = hdf5::open_image(bytes);
    if (hdf5::read_version(file, path.string(), "model_version", newest_version) == 0)
      throw Error({.what = "it is no model file",
                   .expected = "what train --save-model writes",
                   .hint = "a run file has the parameters' checksum alone"});
    ModelFile model;
    model.description = parse_json(hdf5::read_text(file, "model"));
    read_tensors(file, model, false);
    read_tensors(file, model, true);
    return model;
  } catch (const std::exception& failure) {
    throw Error({.what = "cannot read a model from " + path.string(), .got = failure.what()});
  }
}

}  // namespace lockstep::record
