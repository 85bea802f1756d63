// SPDX-License-Identifier: BSD-3-Clause
// Reads a model's description and makes its nodes and the memory between them.
#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <string>

#include <fmt/format.h>

#include "core/json.hpp"
#include "core/names.hpp"
#include "nn/graph.hpp"
#include "nn/memory_check.hpp"

namespace lockstep::nn {
namespace {

constexpr std::string_view input_name = "input";

// "conv2d 1x28x28>6x24x24 channels=6 kernel=5 gemm=tiled": all that the time of its work depends on.
std::string kernel_of(const Json& description, const Layer& layer, std::string_view gemm) {
  std::string name = fmt::format("{} {}>{}", description["type"].get<std::string>(), to_string(layer.in()),
                                 to_string(layer.out()));
  for (const auto& [key, value] : description.items())
    if (key != "type" && key != "name" && key != "inputs" && key != "init" && key != "units")
      name += fmt::format(" {}={}", key, value.dump());
  std::vector<math::GemmShape> products;
  layer.list_gemms(1, true, products);
  return products.empty() ? name : fmt::format("{} gemm={}", name, gemm);
}

// "layer 3 (conv2d)", for error messages.
std::string place_of(const Json& layers, std::size_t index) {
  const Json& layer = layers[index];
  const std::string name = layer.contains("name") && layer["name"].is_string()
                               ? " '" + layer["name"].get<std::string>() + "'"
                               : "";
  return fmt::format("layer {} ({}{})", index + 1, layer["type"].get<std::string>(), name);
}

void check_keys(const Json& description) {
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
}

void check_type(const Json& layer) {
  if (!layer.is_object() || !layer.contains("type") || !layer["type"].is_string())
    throw ConfigError({"a layer needs a type", R"({"type": "linear", "units": 256})", layer.dump()});
}

/// Which values each layer reads. Value 0 is the model's input, value i + 1 the output of layer i.
class Links {
 public:
  explicit Links(const Json& layers) : layers_(layers), readers_(layers.size() + 1) {
    values_[std::string(input_name)] = 0;
    for (std::size_t i = 0; i < layers.size(); ++i) {
      check_type(layers[i]);
      inputs_.push_back(read_inputs(i));
      for (const std::size_t value : inputs_.back()) ++readers_[value];
      add_name(i);
    }
    for (std::size_t i = 0; i + 1 < layers.size(); ++i)
      if (readers_[i + 1] == 0)
        throw ConfigError({"nobody reads the output of " + place_of(layers, i),
                           "a later layer that has it among its inputs, or the end of the model",
                           layers[i].dump()});
  }

  [[nodiscard]] const std::vector<std::size_t>& inputs(std::size_t layer) const { return inputs_[layer]; }
  [[nodiscard]] std::size_t readers(std::size_t value) const { return readers_[value]; }

 private:
  [[nodiscard]] std::vector<std::size_t> read_inputs(std::size_t index) const {
    const Json& layer = layers_[index];
    if (!layer.contains("inputs")) return {index};  // the output of the layer before
    const Json& given = layer["inputs"];
    const bool are_names = given.is_array() && !given.empty() &&
                           std::ranges::all_of(given, [](const Json& name) { return name.is_string(); });
    if (!are_names)
      throw ConfigError({"the inputs of " + place_of(layers_, index) + " are no list of names",
                         R"("inputs": ["NAME", ...])", given.dump()});
    std::vector<std::size_t> values;
    for (const Json& json : given) {
      const auto name = json.get<std::string>();
      const auto found = values_.find(name);
      if (found == values_.end())
        throw unknown_name("input of " + place_of(layers_, index) + ", which reads what stands before it,",
                           name, known_names());
      values.push_back(found->second);
    }
    return values;
  }

  void add_name(std::size_t index) {
    const Json& layer = layers_[index];
    if (!layer.contains("name")) return;
    const Json& name = layer["name"];
    if (!name.is_string() || name.get<std::string>().empty())
      throw ConfigError(
          {"the name of " + place_of(layers_, index) + " is no text", R"("name": "shortcut")", name.dump()});
    if (name.get<std::string>() == input_name)
      throw ConfigError(
          {"a layer is called 'input'", "another name: the model's input is called so", layer.dump()});
    const auto [place, is_new] = values_.emplace(name.get<std::string>(), index + 1);
    if (!is_new)
      throw ConfigError({"two layers are called '" + place->first + "'", "different names",
                         place_of(layers_, place->second - 1) + " and " + place_of(layers_, index)});
  }

  [[nodiscard]] std::vector<std::string> known_names() const {
    std::vector<std::string> names;
    for (const auto& [name, value] : values_) names.push_back(name);
    return names;
  }

  const Json& layers_;
  std::map<std::string, std::size_t> values_;
  std::vector<std::vector<std::size_t>> inputs_;  // of each layer
  std::vector<std::size_t> readers_;              // of each value
};

}  // namespace

class GraphBuilder {
 public:
  GraphBuilder(const Json& description, const ModelSetup& setup)
      : layers_(description["layers"]), setup_(setup), links_(layers_) {
    const LossRow& loss = find_row(loss_table(), "loss", description["loss"].get<std::string>());
    graph_.loss_ = loss.evaluate;
    graph_.loss_kernel_ = fmt::format("{} {}", loss.name, setup.classes);
    values_.push_back({.shape = setup.input, .buffer = add_buffer(setup.input.size()), .node = {}});
    for (std::size_t i = 0; i < layers_.size(); ++i) add_layer(i);
    finish();
  }
  Graph take() { return std::move(graph_); }

 private:
  struct Value {
    SampleShape shape;
    std::size_t buffer = 0;
    std::optional<std::size_t> node;  // that wrote the buffer, if the value is not another view of it
    bool wants_gradient = false;
  };

  void add_layer(std::size_t index) {
    const std::vector<std::size_t>& inputs = links_.inputs(index);
    std::vector<SampleShape> shapes;
    for (const std::size_t value : inputs) shapes.push_back(values_[value].shape);
    auto layer = make_layer({.in = shapes.front(),
                             .index = static_cast<std::uint32_t>(index),
                             .seed = setup_.seed,
                             .gemm = setup_.gemm,
                             .inputs = shapes},
                            layers_[index]);
    if (inputs.size() > 1 && dynamic_cast<MergeLayer*>(layer.get()) == nullptr)
      throw ConfigError({place_of(layers_, index) + " has several inputs", "one input",
                         layers_[index]["inputs"].dump(), "an add layer before it takes several"});
    const SampleShape out = layer->out();
    const std::string kernel = kernel_of(layers_[index], *layer, setup_.gemm_name);
    Value value = values_[inputs.front()];
    if (dynamic_cast<ElementwiseLayer*>(layer.get()) != nullptr) {
      value = add_elementwise(
          std::unique_ptr<ElementwiseLayer>(static_cast<ElementwiseLayer*>(layer.release())), inputs.front());
      graph_.nodes_[*value.node].kernel += " + " + kernel;
    } else if (layer->traits().only_reshapes) {
      value.node.reset();
    } else {
      value = add_node(std::move(layer), inputs, name_of(index));
      graph_.nodes_.back().kernel = kernel;
    }
    value.shape = out;
    values_.push_back(value);
  }

  // As given; else its type and place: "linear3".
  [[nodiscard]] std::string name_of(std::size_t index) const {
    return layers_[index].value("name", layers_[index]["type"].get<std::string>() + std::to_string(index));
  }

  Value add_node(std::unique_ptr<Layer> layer, const std::vector<std::size_t>& inputs,
                 std::string name = {}) {
    Node node;
    node.name = std::move(name);
    bool wants_gradient = false;
    for (const std::size_t value : inputs) {
      node.inputs.push_back(
          {.buffer = values_[value].buffer, .wants_gradient = values_[value].wants_gradient});
      wants_gradient = wants_gradient || values_[value].wants_gradient;
    }
    std::size_t width = values_[inputs.front()].shape.size();
    if (layer) {
      width = layer->out().size();
      layer->reserve(setup_.max_batch);
      node.parameters = {graph_.parameter_count_, layer->parameter_count()};
      node.state = {graph_.state_count_, layer->state_count()};
      node.merge = dynamic_cast<MergeLayer*>(layer.get());
      node.shardable = dynamic_cast<ShardableLayer*>(layer.get());
      node.layer = std::move(layer);
    }
    graph_.parameter_count_ += node.parameters.count;
    graph_.state_count_ += node.state.count;
    take_memory(node.parameters.count + node.state.count);
    node.out = add_buffer(width);
    wants_gradient = wants_gradient || node.parameters.count > 0;
    graph_.nodes_.push_back(std::move(node));
    return {.shape = {},
            .buffer = graph_.nodes_.back().out,
            .node = graph_.nodes_.size() - 1,
            .wants_gradient = wants_gradient};
  }

  // On the rows that it reads, if nobody else wants them as they are; else on a copy.
  Value add_elementwise(std::unique_ptr<ElementwiseLayer> layer, std::size_t input) {
    Value value = values_[input];
    const bool alone = value.node && links_.readers(input) == 1;
    const Layer* const before = alone ? graph_.nodes_[*value.node].layer.get() : nullptr;
    if (!alone || (before != nullptr && before->traits().backward_needs_out)) {
      value = add_node(nullptr, {input});
      graph_.nodes_.back().kernel = "copy";
    }
    Buffer& rows = graph_.buffers_[value.buffer];
    rows.derivatives.resize(setup_.max_batch * rows.width);
    graph_.nodes_[*value.node].elementwise.push_back(std::move(layer));
    return value;
  }

  // Before it is taken: of parameters and buffers together.
  void take_memory(std::size_t floats) {
    floats_ += static_cast<double>(floats);
    check_memory(floats_);
  }

  std::size_t add_buffer(std::size_t width) {
    constexpr std::size_t arrays = 3;  // of a buffer
    const std::size_t floats = graph_.buffers_.empty() ? 0 : setup_.max_batch * width;
    take_memory(arrays * floats);
    graph_.buffers_.push_back({.width = width,
                               .values = AlignedVector<float>(floats),
                               .gradients = AlignedVector<float>(floats),
                               .derivatives = {}});
    return graph_.buffers_.size() - 1;
  }

  void finish() {
    const Value& last = values_.back();
    if (last.shape.size() != setup_.classes)
      throw ConfigError({"the model's last layer does not fit the data set",
                         fmt::format("{} outputs", setup_.classes),
                         fmt::format("{} outputs", last.shape.size())});
    if (graph_.parameter_count_ == 0)
      throw ConfigError({"the model has no parameters to train", "a linear or conv2d layer", layers_.dump()});
    graph_.output_ = last.buffer;
    check_names();
    order_gradients();
  }

  // A given name may be the one that another layer has by its place.
  void check_names() const {
    std::set<std::string> seen;
    for (const Node& node : graph_.nodes_)
      if (node.parameters.count > 0 && !seen.insert(node.name).second)
        throw ConfigError({"two layers are called '" + node.name + "'", "different names", layers_.dump()});
  }

  // The first to write a value's gradient, in the order of the backward pass, stores it; others add to it.
  void order_gradients() {
    std::vector<bool> is_written(graph_.buffers_.size());
    is_written[graph_.output_] = true;  // by the loss
    std::size_t most_added = 0, most_inputs = 1;
    for (auto node = graph_.nodes_.rbegin(); node != graph_.nodes_.rend(); ++node) {
      std::size_t added = 0;
      for (Node::Input& input : node->inputs) {
        if (!input.wants_gradient) continue;
        input.adds_gradient = is_written[input.buffer];
        is_written[input.buffer] = true;
        if (input.adds_gradient) added += graph_.buffers_[input.buffer].width;
      }
      most_added = std::max(most_added, added);
      most_inputs = std::max(most_inputs, node->inputs.size());
    }
    graph_.added_.resize(setup_.max_batch * most_added);
    graph_.in_.resize(most_inputs);
    graph_.d_in_.resize(most_inputs);
  }

  const Json& layers_;
  const ModelSetup& setup_;
  Links links_;
  std::vector<Value> values_;
  double floats_ = 0.0;
  Graph graph_;
};

Graph build_graph(const Json& description, const ModelSetup& setup) {
  check_keys(description);
  return GraphBuilder(description, setup).take();
}

}  // namespace lockstep::nn
