// SPDX-License-Identifier: BSD-3-Clause
// Builds the chain of layers and runs batches through it.
#include "nn/model.hpp"

#include <cassert>

#include <fmt/format.h>

#include "core/names.hpp"

namespace lockstep::nn {

Model::Model(const Json& description, const ModelSetup& setup) : max_batch_(setup.max_batch) {
  for (const auto& [key, value] : description.items())
    if (key != "layers" && key != "loss" && key != "recipe")
      throw unknown_name("key in a model description", key, {"layers", "loss", "recipe"});
  if (!description.contains("layers") || !description["layers"].is_array() || description["layers"].empty())
    throw ConfigError({"a model needs layers",
                       R"({"layers": [{"type": "linear", "units": 10}], "loss": "mse"})",
                       description.dump()});
  if (!description.contains("loss") || !description["loss"].is_string())
    throw ConfigError(
        {"a model needs a loss", "\"loss\": one of " + join(names_of(loss_table())), description.dump()});
  loss_ = find_row(loss_table(), "loss", description["loss"].get<std::string>()).evaluate;

  buffers_.push_back({.width = setup.input.size(), .values = {}, .gradients = {}});
  SampleShape shape = setup.input;
  for (const Json& layer_description : description["layers"]) {
    const auto index = static_cast<std::uint32_t>(stages_.size());
    Stage stage{.layer = make_layer({.in = shape, .index = index, .seed = setup.seed, .gemm = setup.gemm},
                                    layer_description),
                .in = buffers_.size() - 1,
                .out = buffers_.size() - 1,
                .passes_gradient = parameter_count_ > 0};
    shape = stage.layer->out();
    if (!stage.layer->only_reshapes()) {
      stage.out = buffers_.size();
      const std::size_t elements = max_batch_ * shape.size();
      buffers_.push_back({shape.size(), AlignedVector<float>(elements), AlignedVector<float>(elements)});
    }
    stage.layer->reserve(max_batch_);
    parameter_count_ += stage.layer->parameter_count();
    stages_.push_back(std::move(stage));
  }
  if (shape.size() != setup.classes)
    throw ConfigError({"the model's last layer does not fit the data set",
                       fmt::format("{} outputs", setup.classes), fmt::format("{} outputs", shape.size())});
  if (parameter_count_ == 0)
    throw ConfigError(
        {"the model has no parameters to train", "a linear or conv2d layer", description["layers"].dump()});
}

void Model::bind(std::span<float> parameters, std::span<float> gradients) {
  assert(parameters.size() == parameter_count_ && gradients.size() == parameter_count_);
  std::size_t at = 0;
  for (const Stage& stage : stages_) {
    const std::size_t count = stage.layer->parameter_count();
    if (count == 0) continue;
    stage.layer->bind(parameters.subspan(at, count), gradients.subspan(at, count));
    at += count;
  }
}

void Model::initialize() {
  for (const Stage& stage : stages_) stage.layer->initialize();
}

ConstMatrix Model::values(std::size_t buffer, ConstMatrix in) const {
  return buffer == 0 ? in : ConstMatrix(buffers_[buffer].values.data(), in.rows, buffers_[buffer].width);
}

Matrix Model::gradients(std::size_t buffer, std::size_t rows) {
  return {buffers_[buffer].gradients.data(), rows, buffers_[buffer].width};
}

void Model::forward(const Pass& pass, ConstMatrix in) {
  assert(in.rows <= max_batch_);
  for (const Stage& stage : stages_) {
    if (stage.in == stage.out) continue;
    Buffer& out = buffers_[stage.out];
    stage.layer->forward(pass, values(stage.in, in), {out.values.data(), in.rows, out.width});
  }
}

double Model::train(const Pass& pass, ConstMatrix in, std::span<const std::uint8_t> labels,
                    float gradient_scale) {
  assert(in.rows > 0);
  forward(pass, in);
  const std::size_t last = buffers_.size() - 1;
  const double loss_sum = loss_(values(last, in), labels, gradient_scale, gradients(last, in.rows));
  for (auto stage = stages_.rbegin(); stage != stages_.rend(); ++stage) {
    if (stage->in == stage->out) continue;
    const Matrix d_in = stage->passes_gradient ? gradients(stage->in, in.rows) : Matrix();
    stage->layer->backward(pass, values(stage->in, in), values(stage->out, in),
                           gradients(stage->out, in.rows), d_in);
  }
  return loss_sum;
}

Evaluation Model::evaluate(ConstMatrix in, std::span<const std::uint8_t> labels) {
  forward({}, in);
  const ConstMatrix out = values(buffers_.size() - 1, in);
  return {.loss_sum = loss_(out, labels, 1.0F, {}), .correct = count_correct(out, labels)};
}

std::vector<math::GemmShape> Model::gemms(std::size_t batch) const {
  std::vector<math::GemmShape> shapes;
  for (const Stage& stage : stages_) stage.layer->list_gemms(batch, stage.passes_gradient, shapes);
  return shapes;
}

}  // namespace lockstep::nn
