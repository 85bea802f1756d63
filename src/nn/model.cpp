// SPDX-License-Identifier: BSD-3-Clause
// Builds the chain of layers and runs batches through it.
#include "nn/model.hpp"

#include <algorithm>
#include <cassert>

#include <fmt/format.h>

#include "core/json.hpp"
#include "core/names.hpp"
#include "core/simd.hpp"

namespace lockstep::nn {
namespace {

// inout[i] *= factors[i]
void multiply(std::span<float> inout, std::span<const float> factors) {
  float* __restrict to = inout.data();
  const float* __restrict from = factors.data();
  for (std::size_t i = 0; i < inout.size(); ++i) to[i] *= from[i];
}

}  // namespace

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

  add_buffer(setup.input.size());
  SampleShape shape = setup.input;
  std::uint32_t index = 0;
  for (const Json& layer_description : description["layers"]) {
    auto layer = make_layer({.in = shape, .index = index++, .seed = setup.seed, .gemm = setup.gemm},
                            layer_description);
    shape = layer->out();
    if (dynamic_cast<ElementwiseLayer*>(layer.get()) != nullptr)
      add_elementwise(std::unique_ptr<ElementwiseLayer>(static_cast<ElementwiseLayer*>(layer.release())));
    else
      add_stage(std::move(layer));
  }
  if (shape.size() != setup.classes)
    throw ConfigError({"the model's last layer does not fit the data set",
                       fmt::format("{} outputs", setup.classes), fmt::format("{} outputs", shape.size())});
  if (parameters_count_ == 0)
    throw ConfigError(
        {"the model has no parameters to train", "a linear or conv2d layer", description["layers"].dump()});
}

void Model::add_stage(std::unique_ptr<Layer> layer) {
  Stage stage{.layer = std::move(layer),
              .elementwise = {},
              .in = buffers_.size() - 1,
              .out = buffers_.size() - 1,
              .passes_gradient = parameters_count_ > 0,
              .parameters = {}};
  if (!stage.layer->only_reshapes()) stage.out = add_buffer(stage.layer->out().size());
  stage.layer->reserve(max_batch_);
  stage.parameters = {parameters_count_, stage.layer->parameter_count(), stage.layer->divides()};
  parameters_count_ += stage.parameters.count;
  stages_.push_back(std::move(stage));
}

void Model::add_elementwise(std::unique_ptr<ElementwiseLayer> layer) {
  const bool after_rows = !stages_.empty() && stages_.back().in != stages_.back().out;
  const Layer* const before = after_rows ? stages_.back().layer.get() : nullptr;
  if (!after_rows || (before != nullptr && before->backward_needs_out())) {
    Stage copy{.layer = nullptr,
               .elementwise = {},
               .in = buffers_.size() - 1,
               .out = 0,
               .passes_gradient = parameters_count_ > 0,
               .parameters = {parameters_count_, 0, false}};
    copy.out = add_buffer(buffers_.back().width);
    stages_.push_back(std::move(copy));
  }
  Stage& stage = stages_.back();
  Buffer& rows = buffers_[stage.out];
  rows.derivatives.resize(max_batch_ * rows.width);
  stage.elementwise.push_back(std::move(layer));
}

std::size_t Model::add_buffer(std::size_t width) {
  const std::size_t floats = buffers_.empty() ? 0 : max_batch_ * width;
  buffers_.push_back({.width = width,
                      .values = AlignedVector<float>(floats),
                      .gradients = AlignedVector<float>(floats),
                      .derivatives = {}});
  return buffers_.size() - 1;
}

std::vector<ParameterBlock> Model::parameter_blocks() const {
  std::vector<ParameterBlock> blocks;
  for (const Stage& stage : stages_)
    if (stage.parameters.count > 0) blocks.push_back(stage.parameters);
  return blocks;
}

void Model::bind(std::span<float> parameters) {
  assert(parameters.size() == parameters_count_);
  parameters_ = parameters;
  for (const Stage& stage : stages_)
    if (stage.parameters.count > 0)
      stage.layer->bind(parameters.subspan(stage.parameters.begin, stage.parameters.count));
}

void Model::initialize() {
  for (const Stage& stage : stages_)
    if (stage.layer) stage.layer->initialize();
}

Matrix Model::values(std::size_t buffer, std::size_t rows) {
  return {buffers_[buffer].values.data(), rows, buffers_[buffer].width};
}

Matrix Model::gradients(std::size_t buffer, std::size_t rows) {
  return {buffers_[buffer].gradients.data(), rows, buffers_[buffer].width};
}

ConstMatrix Model::input_of(const Stage& stage, ConstMatrix in) const {
  return stage.in == 0 ? in
                       : ConstMatrix(buffers_[stage.in].values.data(), in.rows, buffers_[stage.in].width);
}

void Model::forward(const Pass& pass, ConstMatrix in, std::span<const ConstMatrix> contributions) {
  assert(in.rows <= max_batch_);
  for (Stage& stage : stages_) {
    if (stage.in == stage.out) continue;
    const Matrix out = values(stage.out, in.rows);
    if (stage.in == 0 && !contributions.empty())
      stage.layer->sum_contributions(contributions, out);
    else if (stage.layer)
      stage.layer->forward(pass, input_of(stage, in), out);
    else
      std::ranges::copy(input_of(stage, in).elements(), out.data);
    if (stage.elementwise.empty()) continue;
    float* const derivatives = buffers_[stage.out].derivatives.data();
    for (std::size_t i = 0; i < in.rows; ++i) {
      const std::span<float> kept =
          pass.training ? std::span(derivatives + i * out.cols, out.cols) : std::span<float>();
      std::ranges::fill(kept, 1.0F);
      for (const auto& layer : stage.elementwise) layer->apply(pass, i, out.row(i), kept);
    }
  }
}

void Model::add_gradient(const Stage& stage, ConstMatrix in, ConstMatrix d_out,
                         const GradientTarget& target) const {
  const ParameterBlock& block = stage.parameters;
  const std::size_t begin = std::max(block.begin, target.first);
  const std::size_t end = std::min(block.begin + block.count, target.first + target.values.size());
  if (begin >= end) return;
  stage.layer->add_gradient(in, d_out,
                            {.first = begin - block.begin,
                             .values = target.values.subspan(begin - target.first, end - begin),
                             .scale = target.scale,
                             .keep = target.keep,
                             .stores = target.stores});
}

template <class Visit>
void Model::for_pieces(const Stage& stage, std::size_t piece_floats, Visit visit) {
  const ParameterBlock& block = stage.parameters;
  const std::size_t pieces =
      stage.layer->divides() ? std::max<std::size_t>(1, block.count / piece_floats) : 1;
  for (std::size_t piece = pieces; piece-- > 0;) {
    const std::size_t begin = stage.layer->part_begin(block.count * piece / pieces);
    const std::size_t end = stage.layer->part_begin(block.count * (piece + 1) / pieces);
    if (begin < end) visit(block.begin + begin, end - begin);
  }
}

void Model::announce(const GradientReady& ready) const {
  for (auto stage = stages_.rbegin(); stage != stages_.rend(); ++stage)
    if (stage->parameters.count > 0) for_pieces(*stage, ready.piece_floats, ready.call);
}

void Model::backward(const Pass& pass, ConstMatrix in, bool divided_too, const GradientTarget& target,
                     const GradientReady* ready) {
  for (auto stage = stages_.rbegin(); stage != stages_.rend(); ++stage) {
    if (stage->in == stage->out) continue;
    const bool trains = stage->parameters.count > 0;
    if (!trains && !stage->passes_gradient) return;  // nothing to learn here or before
    const Matrix d_out = gradients(stage->out, in.rows);
    if (!stage->elementwise.empty()) multiply(d_out.elements(), buffers_[stage->out].derivatives);
    if (stage->passes_gradient) {
      const Matrix d_in = gradients(stage->in, in.rows);
      if (stage->layer)
        stage->layer->backward(pass, input_of(*stage, in), values(stage->out, in.rows), d_out, d_in);
      else
        std::ranges::copy(d_out.elements(), d_in.data);
    }
    if (!trains) continue;
    if (ready != nullptr)
      for_pieces(*stage, ready->piece_floats, [&](std::size_t first, std::size_t count) {
        GradientTarget part = target;
        part.first = first;
        part.values = target.values.subspan(first - target.first, count);
        add_gradient(*stage, input_of(*stage, in), d_out, part);
        ready->call(first, count);
      });
    else if (divided_too || !stage->parameters.is_divided)
      add_gradient(*stage, input_of(*stage, in), d_out, target);
  }
}

double Model::train(const Pass& pass, ConstMatrix in, std::span<const std::uint8_t> labels,
                    float gradient_scale, const GradientTarget& target, const GradientReady* ready) {
  assert(in.rows > 0 && target.values.size() == parameters_count_);
  forward(pass, in);
  const double loss_sum = differentiate_loss(in.rows, labels, gradient_scale);
  backward(pass, in, true, target, ready);
  return loss_sum;
}

double Model::differentiate_loss(std::size_t rows, std::span<const std::uint8_t> labels,
                                 float gradient_scale) {
  const std::size_t last = buffers_.size() - 1;
  return loss_(values(last, rows), labels, gradient_scale, gradients(last, rows));
}

Evaluation Model::evaluate(ConstMatrix in, std::span<const std::uint8_t> labels) {
  forward({}, in);
  const ConstMatrix out = values(buffers_.size() - 1, in.rows);
  return {.loss_sum = loss_(out, labels, 1.0F, {}), .correct = count_correct(out, labels)};
}

std::vector<math::GemmShape> Model::gemms(std::size_t batch) const {
  std::vector<math::GemmShape> shapes;
  for (const Stage& stage : stages_)
    if (stage.layer) stage.layer->list_gemms(batch, stage.passes_gradient, shapes);
  return shapes;
}

}  // namespace lockstep::nn
