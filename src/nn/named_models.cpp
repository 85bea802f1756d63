// SPDX-License-Identifier: BSD-3-Clause
// Models by name, as the JSON that a user could have written.
#include <array>
#include <charconv>
#include <string>

#include <fmt/format.h>

#include "core/json.hpp"
#include "core/json_text.hpp"
#include "core/names.hpp"
#include "nn/model.hpp"

namespace lockstep::nn {
namespace {

// The fully connected model of the project that Lockstep grew out of, with the settings that it was trained
// with: a fixed rate on the gradient summed over the batch.
constexpr std::string_view model_a = R"({
  "layers": [{"type": "flatten"},
             {"type": "linear", "units": 256, "init": "xavier"},
             {"type": "leaky_relu", "slope": 0.3},
             {"type": "gaussian_dropout", "rate": 0.2},
             {"type": "linear", "units": 64, "init": "xavier"},
             {"type": "leaky_relu", "slope": 0.3},
             {"type": "gaussian_dropout", "rate": 0.2},
             {"type": "linear", "units": 10, "init": "xavier"},
             {"type": "softmax"}],
  "loss": "mse",
  "recipe": {"optimizer": "sgd", "learning_rate": 0.01, "gradient": "sum"}
})";

constexpr std::string_view model_a_large = R"({
  "layers": [{"type": "flatten"},
             {"type": "linear", "units": 1024, "init": "xavier"},
             {"type": "leaky_relu", "slope": 0.3},
             {"type": "gaussian_dropout", "rate": 0.2},
             {"type": "linear", "units": 512, "init": "xavier"},
             {"type": "leaky_relu", "slope": 0.3},
             {"type": "gaussian_dropout", "rate": 0.2},
             {"type": "linear", "units": 10, "init": "xavier"},
             {"type": "softmax"}],
  "loss": "mse",
  "recipe": {"optimizer": "sgd", "learning_rate": 0.01, "gradient": "sum"}
})";

// LeCun et al., "Gradient-based learning applied to document recognition", 1998, with today's ReLU and
// max-pooling.
constexpr std::string_view lenet5 = R"({
  "layers": [{"type": "conv2d", "channels": 6, "kernel": 5, "padding": 2, "init": "he"},
             {"type": "relu"},
             {"type": "max_pool2d", "kernel": 2},
             {"type": "conv2d", "channels": 16, "kernel": 5, "init": "he"},
             {"type": "relu"},
             {"type": "max_pool2d", "kernel": 2},
             {"type": "flatten"},
             {"type": "linear", "units": 120, "init": "he"},
             {"type": "relu"},
             {"type": "linear", "units": 84, "init": "he"},
             {"type": "relu"},
             {"type": "linear", "units": 10, "init": "xavier"}],
  "loss": "cross_entropy_logits",
  "recipe": {"optimizer": "adamw", "learning_rate": 0.001, "gradient": "mean"}
})";

// Three residual blocks of two convolutions (He et al. 2016), the second and third of half the image and
// twice the channels of the one before.
constexpr std::string_view resnet8 = R"({
  "layers": [
    {"type": "conv2d", "channels": 8, "kernel": 3, "padding": 1, "init": "he"},
    {"type": "batch_norm"},
    {"type": "relu", "name": "stem"},

    {"type": "conv2d", "channels": 8, "kernel": 3, "padding": 1, "init": "he"},
    {"type": "batch_norm"},
    {"type": "relu"},
    {"type": "conv2d", "channels": 8, "kernel": 3, "padding": 1, "init": "he"},
    {"type": "batch_norm", "name": "residual_1"},
    {"type": "add", "inputs": ["residual_1", "stem"]},
    {"type": "relu", "name": "block_1"},

    {"type": "conv2d", "channels": 16, "kernel": 3, "padding": 1, "stride": 2, "init": "he"},
    {"type": "batch_norm"},
    {"type": "relu"},
    {"type": "conv2d", "channels": 16, "kernel": 3, "padding": 1, "init": "he"},
    {"type": "batch_norm", "name": "residual_2"},
    {"type": "conv2d", "inputs": ["block_1"], "channels": 16, "kernel": 1, "stride": 2, "init": "he"},
    {"type": "batch_norm", "name": "shortcut_2"},
    {"type": "add", "inputs": ["residual_2", "shortcut_2"]},
    {"type": "relu", "name": "block_2"},

    {"type": "conv2d", "channels": 32, "kernel": 3, "padding": 1, "stride": 2, "init": "he"},
    {"type": "batch_norm"},
    {"type": "relu"},
    {"type": "conv2d", "channels": 32, "kernel": 3, "padding": 1, "init": "he"},
    {"type": "batch_norm", "name": "residual_3"},
    {"type": "conv2d", "inputs": ["block_2"], "channels": 32, "kernel": 1, "stride": 2, "init": "he"},
    {"type": "batch_norm", "name": "shortcut_3"},
    {"type": "add", "inputs": ["residual_3", "shortcut_3"]},
    {"type": "relu"},

    {"type": "global_avg_pool2d"},
    {"type": "linear", "units": 10, "init": "xavier"}],
  "loss": "cross_entropy_logits",
  "recipe": {"optimizer": "adamw", "learning_rate": 0.01, "weight_decay": 0.01, "schedule": "cosine", "gradient": "mean"}
})";

struct NamedModel {
  std::string_view name, description;
};

constexpr std::array table = {NamedModel{"model_a", model_a}, NamedModel{"model_a_large", model_a_large},
                              NamedModel{"lenet5", lenet5}, NamedModel{"resnet8", resnet8}};

constexpr std::string_view mlp_prefix = "mlp:";

ConfigError bad_mlp(const std::string& name) {
  return ConfigError(
      {"bad model '" + name + "'", "mlp: and at least two sizes, as in mlp:784-256-64-10", name});
}

// "mlp:784-256-64-10": ReLU between linear layers, cross-entropy at the end.
Json mlp(const std::string& name) {
  std::vector<std::size_t> sizes;
  const char* at = name.data() + mlp_prefix.size();
  const char* const end = name.data() + name.size();
  while (true) {
    std::size_t size = 0;
    const auto [next, failure] = std::from_chars(at, end, size);
    if (failure != std::errc{} || size == 0) throw bad_mlp(name);
    sizes.push_back(size);
    if (next == end) break;
    if (*next != '-') throw bad_mlp(name);
    at = next + 1;
  }
  if (sizes.size() < 2) throw bad_mlp(name);
  std::string layers = fmt::format(R"({{"type": "flatten", "size": {}}})", sizes[0]);
  for (std::size_t i = 1; i < sizes.size(); ++i)
    layers += i + 1 < sizes.size()
                  ? fmt::format(R"(, {{"type": "linear", "units": {}, "init": "he"}}, {{"type": "relu"}})",
                                sizes[i])
                  : fmt::format(R"(, {{"type": "linear", "units": {}, "init": "xavier"}})", sizes[i]);
  return Json::parse(R"({"layers": [)" + layers + R"(], "loss": "cross_entropy_logits",
    "recipe": {"optimizer": "adamw", "learning_rate": 0.001, "gradient": "mean"}})");
}

}  // namespace

Json describe_model(const Json& name_or_description) {
  if (name_or_description.is_object()) return name_or_description;
  const auto name = name_or_description.get<std::string>();
  if (name.starts_with(mlp_prefix)) return mlp(name);
  if (name.ends_with(".json")) {
    Json description = read_json_file(name);
    if (!description.is_object())
      throw ConfigError({name + " holds no model", R"(a JSON object: {"layers": [...], "loss": "..."})",
                         to_text(description)});
    return description;
  }
  const std::span<const NamedModel> models = table;
  for (const NamedModel& model : models)
    if (model.name == name) return Json::parse(model.description);
  auto known = names_of(models);
  known.insert(known.end(), {"mlp:N-...-N", "FILE.json"});
  throw unknown_name("model", name, known);
}

std::string model_names() {
  return join(names_of(std::span<const NamedModel>(table))) + ", mlp:784-256-10, FILE.json";
}

}  // namespace lockstep::nn
